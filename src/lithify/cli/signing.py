"""Commands about who stands for a model and where it comes from: sign, provenance."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

from lithify.cli import options as o
from lithify.cli.output import Terminal, plain, shown_path
from lithify.cli.parser import Argument, Option
from lithify.cli.using import ModelThing
from lithify.errors import UsageError


def sign(
    model: Annotated[
        str | None, Argument(metavar="MODEL", help="A model file, or an alias or digest in the home.")
    ] = None,
    key: Annotated[Path | None, Option("--key", metavar="KEY.pem", help="The private key.")] = None,
    certificate: Annotated[
        Path | None, Option("--certificate", metavar="CERT.pem", help="The certificate of the key, to sign with it.")
    ] = None,
    chain: Annotated[
        list[Path] | None,
        Option("--chain", metavar="CA.pem", help="Certificates between it and the root; may be repeated."),
    ] = None,
    password_env: Annotated[
        str | None,
        Option("--password-env", metavar="VAR", help="The environment variable with the password of the key."),
    ] = None,
    out: Annotated[Path | None, Option("--out", metavar="FILE", help="Write the signature to this file.")] = None,
    make_key: Annotated[
        Path | None, Option("--make-key", metavar="FILE", help="Make a new key and FILE.pub; signs nothing.")
    ] = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Sign a model with a private key, so that others can tell it is yours.

    The signature of a file is written beside it, as MODEL.sig; that of a model in the home is kept there. It is in the
    format of OpenSSF model signing, and made without any network. Keys are of the curve P-256, P-384 or P-521.

    Example: lithify sign spam.lith --key key.pem
    """
    from lithify.workflow import signing

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if make_key is not None:
        _only(model=model, key=key, certificate=certificate, chain=chain, password_env=password_env, out=out)
        return _make_key(terminal, make_key)
    if model is None or key is None:
        raise UsageError(
            "What to sign, or with which key, is not said.",
            expected="lithify sign MODEL --key KEY.pem",
            hint="No key yet? lithify sign --make-key key.pem",
        )
    password = None if password_env is None else _password(password_env)
    made = signing.sign(model, key, certificate=certificate, chain=chain or (), password=password, out=out, home=home)
    terminal.document(made.to_json())
    by = made.signer.name or f"the key {made.signer.fingerprint[:12]}"
    terminal.say(f"{terminal.style('signed', 'green')}  {made.model}")
    terminal.say(f"  by {plain(by)}")
    if made.path is not None:
        terminal.say(f"  written to {shown_path(made.path)}")
    if made.kept:
        terminal.say("  kept in the home")


def provenance(
    model: ModelThing,
    bom: Annotated[
        bool, Option("--bom", help="The bill of materials instead: CycloneDX 1.6 with a model card.")
    ] = False,
    out: Annotated[Path | None, Option("--out", metavar="FILE", help="Write it to a file.")] = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Tell where a model comes from: data, recipe, engine, run, evaluations.

    An in-toto statement with SLSA provenance, as JSON, that names the model by its digest. It holds digests,
    parameters and times; no row, no path, no name of a person or a machine. What is known of the run stands in the home
    it was trained in.

    Example: lithify provenance spam.lith --bom --out spam.cdx.json
    """
    from lithify.workflow import signing

    terminal = Terminal(as_json=as_json, quiet=quiet)
    document = signing.provenance(model, bom=bom, home=home)
    if out is not None:
        terminal.note(f"Written to {shown_path(signing.write_document(document, out))}.")
    if out is None or as_json:
        terminal.lines_of(json.dumps(document, indent=2, sort_keys=True) + "\n")


def _make_key(terminal: Terminal, path: Path) -> None:
    from lithify import writing
    from lithify.model.signing import make_key

    private = writing.check_out(path)
    public = make_key(private)
    terminal.document({"private": str(private), "public": str(public)})
    terminal.say(f"{shown_path(private)}  private: whoever has it signs in your name, and it has no password")
    terminal.say(f"{shown_path(public)}  public: give it to those who check")


def _only(**given: object) -> None:
    if named := [name for name, value in given.items() if value is not None]:
        found = "MODEL" if named[0] == "model" else f"--{named[0].replace('_', '-')}"
        raise UsageError("--make-key signs nothing.", found=f"{found} beside it", hint="Make the key first, then sign.")


def _password(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise UsageError(f"The environment variable {name} is not set.", expected="the password of the key in it")
    return value
