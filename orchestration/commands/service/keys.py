"""`tessera keys`: create, list, rotate and revoke the keys that may call the service."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ml.keys.access_key import AccessKey, ConsoleRole, KeyKind
from ml.keys.key_file import KeyFile
from orchestration.commands.home import HomeOption, home_of
from orchestration.commands.option_values import parse_duration

console = Console(highlight=False, markup=False, emoji=False)
keys = typer.Typer(help="The keys that may call the service: create, list, rotate, revoke.", no_args_is_help=True)
SHOWN_ONCE = "The key is shown once and stored nowhere."

KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="Id or name of the key; `tessera keys list` shows both.")
]


@keys.command("create")
def create_key(
    *,
    kind: Annotated[
        KeyKind,
        typer.Option(
            help="`secret` for your servers, which may do everything; `browser` for pages; `console` for people "
            "who sign in to the console."
        ),
    ],
    name: Annotated[str, typer.Option(help="What you call the key, such as the server that uses it.")] = "",
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Origin of the pages that may use a browser key, such as https://shop.example; may be repeated."
        ),
    ] = None,
    role: Annotated[
        ConsoleRole | None,
        typer.Option(
            help="What the owner of a console key may do: `viewer` reads figures, `editor` also acts on them, "
            "`privacy-officer` also sees people."
        ),
    ] = None,
    expires: Annotated[
        dt.timedelta | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="When the key stops working, such as 90d."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Create a key and print it once. A running service accepts it at once."""
    created, key = KeyFile(home_of(home)).create(
        kind, name=name, origins=tuple(origin or ()), lifetime=expires, role=role
    )
    typer.echo(key)
    typer.echo(f"{_sentence(created)} {SHOWN_ONCE}", err=True)


@keys.command("list")
def list_keys(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """List the keys of the home. The keys themselves are stored nowhere."""
    now = dt.datetime.now(dt.UTC)
    entries = KeyFile(home_of(home)).read()
    if as_json:
        typer.echo(json.dumps([_as_json(entry, now) for entry in entries], ensure_ascii=False, indent=2))
        return
    if not entries:
        typer.echo("There are no keys. `tessera keys create --kind secret` creates one.")
        return
    table = Table(box=None)
    for heading in ("id", "kind", "role", "status", "name", "origins", "created", "expires"):
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for entry in entries:
        table.add_row(
            entry.key_id,
            entry.kind,
            entry.role or "",
            entry.describe_status(now),
            entry.name,
            ", ".join(entry.origins),
            f"{entry.created_at:%Y-%m-%d}",
            f"{entry.expires_at:%Y-%m-%d}" if entry.expires_at else "never",
        )
    console.print(table)


@keys.command("rotate")
def rotate_key(
    key: KeyArgument,
    *,
    overlap: Annotated[str, typer.Option(metavar="DURATION", help="How long the old key goes on working.")] = "7d",
    home: HomeOption = None,
) -> None:
    """Create a key in the place of another, which goes on working for a while."""
    replaced, created, text = KeyFile(home_of(home)).rotate(key, parse_duration(overlap))
    typer.echo(text)
    typer.echo(
        f"{_sentence(created)} The key {replaced.key_id} works until {replaced.expires_at:%Y-%m-%d %H:%M} UTC. "
        f"{SHOWN_ONCE}",
        err=True,
    )


@keys.command("revoke")
def revoke_key(key: KeyArgument, *, home: HomeOption = None) -> None:
    """Revoke a key, or all keys of a name. A running service refuses them from its next request on."""
    revoked = KeyFile(home_of(home)).revoke(key)
    typer.echo(f"Revoked: {', '.join(entry.key_id for entry in revoked)}")


def _sentence(key: AccessKey) -> str:
    name = f" ({key.name})" if key.name else ""
    role = f" of a {key.role}" if key.role else ""
    pages = f" on pages of {', '.join(key.origins)}" if key.origins else ""
    end = f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "and does not expire"
    return f"The {key.kind} key {key.key_id}{name}{role} works{pages} {end}."


def _as_json(key: AccessKey, now: dt.datetime) -> dict[str, object]:
    times = {"created_at": key.created_at, "expires_at": key.expires_at, "revoked_at": key.revoked_at}
    return {
        "id": key.key_id,
        "kind": key.kind,
        "role": key.role,
        "status": key.describe_status(now),
        "name": key.name,
        "origins": list(key.origins),
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
    }
