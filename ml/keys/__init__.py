"""Access keys of the service: how they are made, stored as digests, replaced and revoked."""
