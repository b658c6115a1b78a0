"""The science of Tessera: plain functions and estimators on arrays and Arrow tables."""
