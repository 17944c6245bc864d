"""Tables, browsers and runs that several test files share."""
