"""Tables as text, a heading and lines, for the page and the terminal."""
