"""What the site has beside its written pages: made from the package and from results at build."""
