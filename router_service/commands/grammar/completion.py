"""`signalbox completion`: the script that lets a shell complete this command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SIGNALBOX_COMPLETE"
"""What the script sets to ask this program; click listens to that name without being told."""


@click.command
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, /, *, shell: str) -> None:
    """Write the script that lets SHELL complete commands, options, models and providers.

    \b
    bash: eval "$(signalbox completion bash)"    in ~/.bashrc
    zsh:  eval "$(signalbox completion zsh)"     in ~/.zshrc, after compinit
    fish: signalbox completion fish > ~/.config/fish/completions/signalbox.fish
    """
    root = ctx.find_root()
    found = get_completion_class(shell)
    assert found is not None, "click knows each of them"
    click.echo(found(root.command, {}, "signalbox", VARIABLE).source())
