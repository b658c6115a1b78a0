"""How the site is used: pages, paths, funnels, retention and sources, as figures and as a page."""
