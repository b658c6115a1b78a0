"""Referrer, campaign parameters and click ids → the channel that brought the visit."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from ml.events.normalization.short_text_cache import cache_short_texts

SEARCH = (
    "google.",
    "bing.com",
    "duckduckgo.com",
    "yahoo.",
    "yandex.",
    "baidu.com",
    "ecosia.org",
    "qwant.com",
    "startpage.com",
    "search.brave.com",
    "naver.com",
    "seznam.cz",
    "kagi.com",
)
SOCIAL = (
    "facebook.com",
    "instagram.com",
    "twitter.com",
    "t.co",
    "x.com",
    "linkedin.com",
    "lnkd.in",
    "reddit.com",
    "pinterest.",
    "youtube.com",
    "tiktok.com",
    "whatsapp.com",
    "t.me",
    "bsky.app",
    "threads.net",
    "mastodon.social",
    "vk.com",
    "news.ycombinator.com",
    "snapchat.com",
)
MAIL = ("mail.google.com", "outlook.", "mail.yahoo.com", "mail.proton.me", "webmail.")
MEDIA = {
    "cpc": "paid",
    "ppc": "paid",
    "paid": "paid",
    "paidsearch": "paid",
    "paid_social": "paid",
    "cpm": "paid",
    "display": "paid",
    "banner": "paid",
    "retargeting": "paid",
    "email": "email",
    "e-mail": "email",
    "newsletter": "email",
    "social": "social",
    "organic": "search",
    "referral": "referral",
    "affiliate": "referral",
    "push": "push",
    "sms": "push",
}
CLICK_IDS = ("gclid", "msclkid", "dclid", "gbraid", "wbraid", "ttclid", "li_fat_id")
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
MAX_URL_CHARS = 4_096
CACHED_ADDRESSES = 4_096
CHANNELS = ("direct", "internal", "search", "social", "email", "push", "paid", "referral")


def classify_channel(page_url: str | None, referrer: str | None, medium: str | None = None) -> str:
    """One of CHANNELS. What the site's owner says (`medium`, click ids) wins over the referrer.

    `medium` is read from the address where it is not given.
    """
    medium = (read_campaign(page_url).get("utm_medium", "") if medium is None else medium).lower()
    if medium in MEDIA:
        return MEDIA[medium]
    if any(f"{name}=" in (page_url or "") for name in CLICK_IDS):
        return "paid"
    host = _host(referrer)
    if not host:
        return "direct" if not medium else "referral"
    if host == _host(page_url):
        return "internal"
    return _channel_of_host(host)


def read_campaign(page_url: str | None) -> Mapping[str, str]:
    """The UTM parameters of an address that are not empty."""
    if not page_url or "utm_" not in page_url:
        return {}
    return _campaign_of(page_url[:MAX_URL_CHARS])


@cache_short_texts(CACHED_ADDRESSES)
def _campaign_of(page_url: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(urlsplit(page_url).query, max_num_fields=200)
    except ValueError:
        return {}
    return {name: value for name, value in pairs if name in UTM and value}


def _host(address: str | None) -> str:
    return _host_of(address[:MAX_URL_CHARS]) if address else ""


@cache_short_texts(CACHED_ADDRESSES)
def _host_of(address: str) -> str:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")


@cache_short_texts(CACHED_ADDRESSES)
def _channel_of_host(host: str) -> str:
    # mail first: mail.google.com is a search engine's domain too
    for channel, names in (("email", MAIL), ("search", SEARCH), ("social", SOCIAL)):
        if any(_is_at(host, name) for name in names):
            return channel
    return "referral"


def _is_at(host: str, name: str) -> bool:
    """`google.` stands for google under every top-level domain, `t.co` for itself and its subdomains."""
    if name.endswith("."):
        return host.startswith(name) or f".{name}" in host
    return host == name or host.endswith(f".{name}")
