"""The published tables in databases and catalogs: one behaviour, three loaders. Publishes nothing itself."""
