"""Plain PDFs: what is made of their pages beyond images."""
