"""Ways of feeding the same mergeable statistics: each engine has two verbs, ``reduce`` and ``map``."""
