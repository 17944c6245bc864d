"""One typed summary of an audit, shown as text, HTML, charts and build reports."""
