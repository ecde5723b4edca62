"""`signalbox completion`: the script that lets a shell complete this command line."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SIGNALBOX_COMPLETE"
"""What the script sets to ask this program; click listens to that name without being told."""
BASH = """\
_signalbox_completion() {
    local IFS=$'\\n' rest=$COMP_LINE words=() index word gap type value response
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        gap=${rest%%[![:space:]]*}
        rest=${rest#"$gap"}
        rest=${rest#"$word"}
        if [[ -z $gap && $index -gt 0 && ($word == :* || ${words[-1]} == *:) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    word=${words[-1]}
    response=$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) _SIGNALBOX_COMPLETE=bash_complete "$1")
    for value in $response; do
        type=${value%%,*}
        value=${value#*,}
        case $type in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain) [[ $COMP_WORDBREAKS == *:* ]] && value=${value#"${word%"${word##*:}"}"}; COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F _signalbox_completion signalbox
"""
"""Bash takes a word apart at its colons, which names of models have, and completes the part behind the last one. So it
is put together again for the question, and the answers lose what stands before that part.
"""


class _Bash(BashComplete):
    """What click has for bash, but for the script."""

    def source(self) -> str:
        super().source()  # complains where bash is too old
        return BASH


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
    found = _Bash if shell == "bash" else get_completion_class(shell)
    assert found is not None, "click knows each of them"
    click.echo(found(root.command, {}, "signalbox", VARIABLE).source())
