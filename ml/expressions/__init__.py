"""The expression language that rules, segments and targeting share: language, operators and fields."""
