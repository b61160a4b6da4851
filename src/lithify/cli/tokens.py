"""The command token: who may ask a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from lithify.cli import options as o
from lithify.cli.output import Terminal, moment
from lithify.cli.parser import Argument, Option
from lithify.errors import UsageError

if TYPE_CHECKING:
    from lithify.store.tokens import Token


def token(
    name: Annotated[str | None, Argument(metavar="NAME", help="Who holds it; without one, all are listed.")] = None,
    alias: Annotated[
        list[str] | None,
        Option("--alias", metavar="ALIAS", help="What it is good for, '*' for all; may be repeated."),
    ] = None,
    revoke: Annotated[bool, Option("--revoke", help="Take it away.")] = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Make, list or revoke the tokens that a server asks for.

    A token's secret is shown once, when it is made, and only its SHA-256 is kept. Clients send it in the header
    `Authorization: Bearer SECRET`. Running servers follow within a second; a home without tokens asks for none.

    Example: lithify token mailserver --alias spam
    """
    from lithify import things
    from lithify.workflow import tokens

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if name is None:
        if revoke or alias:
            raise UsageError("Which token?", expected="a name", hint="See `lithify token`.")
        return _list(terminal, tokens.tokens(home=home))
    if revoke:
        if alias:
            raise UsageError("A token is revoked as a whole.", hint="Leave --alias out.")
        tokens.revoke_token(name, home=home)
        terminal.document({"token": name, "revoked": True})
        return terminal.say(f"Revoked the token {name}.")
    secret = tokens.add_token(name, alias or (), home=home)
    made = next(each for each in tokens.tokens(home=home) if each.name == name)
    terminal.document({"token": name, "aliases": list(made.aliases), "created": made.created, "secret": secret})
    terminal.say(secret)
    terminal.note(f"The secret of {name}, good for {_scope(made.aliases)}. It is shown this once and kept nowhere.")
    standing = things.open_home(home).aliases.all()
    for each in made.aliases:
        if each != "*" and each not in standing:
            terminal.note(f"Nothing was promoted to {each.removesuffix('@production')} yet.")


def _list(terminal: Terminal, found: list[Token]) -> None:
    terminal.document({"tokens": [{"token": t.name, "aliases": list(t.aliases), "created": t.created} for t in found]})
    if not found:
        return terminal.paragraph("There are no tokens. Next: lithify token NAME --alias ALIAS")
    terminal.table([[t.name, _scope(t.aliases), moment(t.created)] for t in found], head=["token", "good for", "made"])


def _scope(aliases: tuple[str, ...]) -> str:
    return "every alias" if "*" in aliases else ", ".join(aliases)
