"""Addresses and coordinates → country and time zone; both are coarsened before anything is kept."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import iptocc
import tzfpy

from ml.events.normalization.short_text_cache import cache_short_texts

CACHED_NETWORKS = 50_000
IPV4_BITS, IPV6_BITS = 24, 48

AddressRule = Literal["drop", "truncate", "keep"]


class AddressTable(Protocol):
    """Something that knows the country of an address."""

    def country(self, address: str) -> str | None:
        """ISO 3166-1 alpha-2 code, or None."""
        ...


class RegistryTable:
    """The delegations published by the five internet registries, as the package `iptocc` ships them."""

    def country(self, address: str) -> str | None:
        """Country that the address is delegated to."""
        return iptocc.country_code(address)


class MaxMindTable:
    """A `.mmdb` file that the owner has a licence for; needs the package `maxminddb`.

    Raises:
        ValueError: the file is missing or no MaxMind database, or the package is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import maxminddb  # noqa: PLC0415  (an extra that only owners of such a file need)
        except ImportError as error:
            raise ValueError(f"{path}: needs the package maxminddb: pip install maxminddb") from error
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise ValueError(f"{path}: no readable MaxMind database: {error}") from error

    def country(self, address: str) -> str | None:
        """Country of the address in the file."""
        try:
            entry = self._reader.get(address)
        except ValueError:
            return None
        record = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
        code = record.get("country", {}).get("iso_code")
        return code if isinstance(code, str) else None


class CountryLookup:
    """Countries of addresses and time zones of coordinates, remembered per network.

    Args:
        database: a `.mmdb` file instead of the registries' table.
    """

    def __init__(self, database: Path | None = None) -> None:
        table: AddressTable = MaxMindTable(database) if database else RegistryTable()
        self.country_of = lru_cache(CACHED_NETWORKS)(table.country)


@cache_short_texts(CACHED_NETWORKS)
def truncate_address(address: str | None) -> str | None:
    """The network of an address, /24 or /48: what the country is looked up by. None for private and bad ones."""
    try:
        parsed = ipaddress.ip_address((address or "").strip())
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if not parsed.is_global:
        return None
    bits = IPV4_BITS if parsed.version == 4 else IPV6_BITS
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False).network_address)


def apply_address_rule(address: str | None, rule: AddressRule) -> str | None:
    """What the log may hold of an address."""
    if rule == "drop":
        return None
    return truncate_address(address) if rule == "truncate" else address


def locate_coordinates(latitude: float, longitude: float, decimals: int) -> dict[str, Any]:
    """Rounded coordinates, and the time zone and country they lie in.

    Returns:
        latitude and longitude (degrees, rounded), timezone (IANA) and country where known; empty for coordinates
        that are none.
    """
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return {}
    latitude, longitude = round(latitude, decimals), round(longitude, decimals)
    zone = tzfpy.get_tz(longitude, latitude)
    place: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    if zone and not zone.startswith("Etc/"):
        place["timezone"] = zone
        country = load_zone_countries().get(zone)
        if country:
            place["country"] = country
    return place


@lru_cache(maxsize=1)
def load_zone_countries() -> dict[str, str]:
    """Country of each IANA zone, from the zone.tab of the package `tzdata`."""
    table = resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return {row[2]: row[0] for row in rows}
