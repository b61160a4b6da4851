"""The command that checks what is there: structure, seal, golden predictions, signatures, rows of snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lithify.cli import options as o
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, count, plain
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.errors import UsageError
from lithify.progress import Update

if TYPE_CHECKING:
    from lithify.model.model import Model
    from lithify.model.signing import Signer


def verify(
    thing: Annotated[str, Argument(metavar="THING", help="A model file, or a model or snapshot in the home.")],
    rebuild: Annotated[
        bool, Option("--rebuild", help="Train it again from its snapshot and recipe, and compare every byte.")
    ] = False,
    key: Annotated[
        Path | None, Option("--key", metavar="PUB.pem", help="It must be signed by the private one of this public key.")
    ] = None,
    certificate_chain: Annotated[
        Path | None,
        Option("--certificate-chain", metavar="ROOT.pem", help="It must be signed by a certificate that leads here."),
    ] = None,
    signature: Annotated[
        Path | None, Option("--signature", metavar="FILE", help="The signature; else MODEL.sig, or that of the home.")
    ] = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Check that a model is whole and still predicts what it did, or that a snapshot is whole.

    The seal shows damage. Whether the file is the one that was meant, only its digest or a signature shows: compare it,
    or give --key or --certificate-chain. Of a snapshot every row is compared with its key.

    Example: lithify verify spam.lith --rebuild
    """
    from lithify import api, things
    from lithify.workflow.signing import verify_signature

    terminal = Terminal(as_json=as_json, quiet=quiet)
    trusted = _trusted(key, certificate_chain, signature)
    if things.is_snapshot(thing, home=home):
        _verify_snapshot(terminal, thing, rebuild, trusted, home)
        return
    found = api.open(thing, home=home)
    signer = None if trusted is None else verify_signature(found, trusted, signature=signature, home=home)
    if rebuild:
        tell_compiling(terminal, found.kind, found.draft.learner_name)
    with Progress(quiet=quiet, width=terminal.width) as tell:
        sealed = api.verify(found, rebuild=rebuild, home=home, report=tell)
    _show(terminal, sealed, rebuild, signer)


def _show(terminal: Terminal, sealed: Model, rebuilt: bool, signer: Signer | None) -> None:
    checks = ["structure", "seal", "golden predictions", *["rebuild"] * rebuilt, *["signature"] * bool(signer)]
    said = {"model": sealed.digest, "path": str(sealed.path), "checked": checks, "ok": True}
    terminal.document(said | ({"signer": signer.to_json()} if signer else {}))
    good = terminal.style("ok", "green")
    terminal.say(f"{good}  structure and seal: every byte is as it was sealed")
    terminal.say(f"{good}  golden predictions: it scores made-up inputs as it did then")
    if rebuilt:
        terminal.say(f"{good}  rebuild: trained again from snapshot and recipe, the same bytes")
    if signer:
        by = plain(signer.name) or f"the key {signer.fingerprint[:12]}"
        terminal.say(f"{good}  signature: signed by {by}")
    terminal.say(f"    {sealed.digest}")


def _trusted(key: Path | None, chain: Path | None, signature: Path | None) -> Path | None:
    """What a signature is checked with, if one is to be checked."""
    from lithify.model import bundle

    if key and chain:
        raise UsageError("A signature is checked with a key or with certificates.", found="both")
    if signature and not (key or chain):
        raise UsageError(
            "Who must have signed is not said.", expected="--key PUB or --certificate-chain ROOT beside --signature"
        )
    if chain and b"BEGIN CERTIFICATE" not in bundle.read(chain, "certificate"):
        raise UsageError(f"{chain.name} holds no certificate.", hint="A bare public key is given with --key.")
    return key or chain


def _verify_snapshot(terminal: Terminal, thing: str, rebuild: bool, trusted: Path | None, home: Path | None) -> None:
    from lithify import things

    if trusted:
        raise UsageError("Only a model can be signed.", found=f"{thing}, a snapshot")

    if rebuild:
        raise UsageError("Only a model can be rebuilt.", found=f"{thing}, a snapshot", hint="Leave out --rebuild.")
    with Progress(quiet=terminal.quiet, width=terminal.width) as tell:
        tell(Update("verifying"))
        frozen = things.find_snapshot(things.open_home(home, create=False), thing)
        frozen.verify()
    terminal.document({"snapshot": frozen.digest, "checked": ["manifest", "row table", "rows"], "ok": True})
    terminal.say(f"{terminal.style('ok', 'green')}  every one of {count(len(frozen), 'row')} is what its key says")
    terminal.say(f"    {frozen.digest}")
