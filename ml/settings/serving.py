"""Settings of the section `serving`: the service that answers."""

from ipaddress import ip_network
from typing import Literal, Self

from pydantic import field_validator, model_validator

from ml.settings.section import Section, knob


class StateSettings(Section):
    """Bounds of the online state."""

    engine: Literal["sqlite", "redis"] = knob(
        "sqlite", "Where the state is kept; redis where workers run on several machines."
    )
    max_changes: int = knob(
        300_000,
        "Newest events that the online state is rebuilt from; about one second at a start.",
        unit="events",
        ge=1,
    )
    max_visitors: int = knob(
        500_000,
        "People who are held in memory, about 1 KiB each; the least recent go first.",
        unit="people",
        ge=1,
    )
    max_visits: int = knob(
        200_000, "Sessions that are held in memory; the least recent go first.", unit="sessions", ge=1
    )


class ChallengerSettings(Section):
    """How much of the traffic a second bundle gets."""

    version: str = knob("", "A published version that is tried beside the current one; empty for none.")
    canary_share: float = knob(
        0.0,
        "People whom the challenger answers, the same people every time.",
        unit="share of people",
        ge=0,
        le=1,
    )
    shadow_share: float = knob(
        0.0,
        "People for whom the challenger's list is logged and not shown.",
        unit="share of people",
        ge=0,
        le=1,
    )
    interleaved_share: float = knob(
        0.0,
        "People whose list both rankers draft, pick by pick; the clicks of each say which is better.",
        unit="share of people",
        ge=0,
        le=1,
    )


class LogsSettings(Section):
    """JSON lines on standard error, without personal data."""

    requests: Literal["all", "slow", "none"] = knob(
        "slow",
        "Requests that get a line: all, slow (and failed ones) or none; all costs about 3% of the speed.",
    )
    slow_ms: float = knob(100, "Time from which a request is called slow.", unit="milliseconds", gt=0)


class TracesSettings(Section):
    """OpenTelemetry: a span a request, and one for each stage below it."""

    exporter: Literal["none", "file", "otlp"] = knob(
        "none",
        "Where spans go: none, file (traces.jsonl in the home's logs) or otlp (a collector; needs the extra"
        " `tracing`).",
    )
    endpoint: str = knob("http://127.0.0.1:4318/v1/traces", "Where otlp sends spans, by HTTP.")
    share: float = knob(
        0.01,
        "Requests that begin a trace; those that belong to a caller's trace follow it.",
        unit="share of requests",
        ge=0,
        le=1,
    )


class LimitSettings(Section):
    """How much one caller may ask of each worker, and how long a connection may take."""

    requests_per_second: float = knob(
        100,
        "Requests on any route from one network (/24 or /48) without a secret key; an office full of visitors"
        " makes about 50. 0 means no limit.",
        unit="requests per second",
        ge=0,
    )
    burst_requests: int = knob(1_000, "Requests of such a network that may come at once.", unit="requests", gt=0)
    secret_requests_per_second: float = knob(
        1_000,
        "Requests with one secret key, about what one worker can answer. 0 means no limit.",
        unit="requests per second",
        ge=0,
    )
    secret_burst_requests: int = knob(
        5_000, "Requests of a secret key that may come at once.", unit="requests", gt=0
    )
    open_requests_per_second: float = knob(
        0,
        "Requests on a service without keys, which only this machine can make; 0 means no limit.",
        unit="requests per second",
        ge=0,
    )
    max_connections: int = knob(
        1_000, "Connections of a worker; beyond it new requests are answered with 503.", unit="connections", gt=0
    )
    head_seconds: float = knob(
        10, "Time for the head of a request to arrive; a slower connection is closed.", unit="seconds", gt=0
    )
    request_seconds: float = knob(60, "Time for a whole request to arrive: 1 MB at 17 KB/s.", unit="seconds", gt=0)
    max_head_bytes: int = knob(
        65_536, "Largest head of a request: its address and headers.", unit="bytes", ge=4_096
    )


class ConsoleSettings(Section):
    """What the console takes of the service, and who signs in because a proxy of the site says who they are."""

    processor_share: float = knob(
        0.05,
        "Share of one processor that making pages may take from a worker's answers over time; a page that was made"
        " is kept, and costs next to nothing.",
        unit="share of a processor",
        gt=0,
        le=1,
    )
    burst_seconds: float = knob(
        2,
        "Processor time that pages may take at once after a quiet time: that of about twenty pages.",
        unit="seconds",
        gt=0,
    )

    proxy_user_header: str = knob(
        "",
        "Header in which a proxy with a sign-in of its own names the reader, such as X-Forwarded-User; empty for"
        " none.",
    )
    proxy_addresses: tuple[str, ...] = knob(
        (),
        "Addresses or networks of the proxies that are believed. Their connections alone count, so nobody else can"
        " send the header.",
    )
    proxy_role_header: str = knob(
        "", "Header in which the proxy names the reader's role; empty, or without the header, it is proxy_role."
    )
    proxy_role: Literal["viewer", "editor", "privacy-officer"] = knob(
        "viewer", "Role of a reader of whom the proxy names none: the one that may do least."
    )

    @field_validator("proxy_addresses")
    @classmethod
    def _check_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            ip_network(address)
        return addresses

    @model_validator(mode="after")
    def _needs_addresses(self) -> Self:
        if self.proxy_user_header and not self.proxy_addresses:
            raise ValueError("proxy_user_header needs proxy_addresses: else anybody could send the header")
        return self


class ServingSettings(Section):
    """Workers, limits of an answer, and what the service keeps and logs."""

    workers: int = knob(
        1,
        "Processes that answer; more share one state, and one is enough for hundreds of requests a second.",
        unit="processes",
        ge=1,
        le=64,
    )
    max_k: int = knob(
        100, "Items that an answer may hold at most; a page shows fewer.", unit="items", ge=1, le=1000
    )
    default_k: int = knob(10, "Items of an answer where the request does not say.", unit="items", ge=1, le=1000)
    bundle_check_seconds: float = knob(
        1.0, "Time between looks at published/CURRENT; a look is one small read.", unit="seconds", gt=0
    )
    budget_ms: float = knob(
        100,
        "Time after which the rest of the ranking is skipped and places of the sources count: what a person begins"
        " to notice. 20 skipped it on a busy machine, for an HR@5 of .407 instead of .426 on Globo.",
        unit="milliseconds",
        gt=0,
    )
    surroundings_file: str = knob(
        "surroundings.csv", "File in the home with weather and local events, kept by somebody else."
    )
    surroundings_stale_seconds: float = knob(
        10_800, "Time after which weather says nothing any more.", unit="seconds", gt=0
    )
    personal_candidates: int = knob(
        100, "Items that the champion brings to the blend; the rest of its list rarely wins.", unit="items", ge=1
    )
    approximate_above_items: int = knob(
        200_000,
        "Catalogue above which the top-k search is approximate; below, exact search is fast enough.",
        unit="items",
        ge=1,
    )
    allowed_hosts: tuple[str, ...] = knob(
        (),
        "Names that the service answers to, such as tessera.example or *.example, beside those of its machine. If"
        " empty: every name on a service with keys, and the names of the machine on one without.",
    )
    limits: LimitSettings = LimitSettings()
    identity_token_hours: float = knob(
        24,
        "How far ahead an identity token may expire; what a page leaks is worth nothing soon afterwards.",
        unit="hours",
        gt=0,
    )
    challenger: ChallengerSettings = ChallengerSettings()
    console: ConsoleSettings = ConsoleSettings()
    logs: LogsSettings = LogsSettings()
    traces: TracesSettings = TracesSettings()
    state: StateSettings = StateSettings()
