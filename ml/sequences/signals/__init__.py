"""Which small actions raise the conversion of a visit, told apart from those that merely go with it."""
