"""Files of rows as people have them: Parquet, tables of text and JSON Lines, whole or in chunks."""
