"""Definition files of a site: finding, reading and creating them."""
