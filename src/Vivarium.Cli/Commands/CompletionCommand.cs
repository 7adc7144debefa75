using System.CommandLine;
using Vivarium.Cli.Parsing;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv completion SHELL</c> prints the script; the script calls <c>viv completion words …</c> for what may come next.</summary>
internal sealed class CompletionCommand : Verb
{
    private readonly Argument<string> _shell = Opt.One("SHELL", "bash, zsh or fish");

    public CompletionCommand()
        : base("completion", "Prints a completion script: commands, flags and the names of sandboxes as they are at that moment.")
    {
        Arguments.Add(_shell);
    }

    public static Verb Make() => new CompletionCommand
    {
        Usage = "SHELL",
        TakesCommand = true,
        Examples =
        [
            ("source <(viv completion bash)", "in ~/.bashrc"),
            ("viv completion zsh > \"${fpath[1]}/_viv\"", "once"),
            ("viv completion fish > ~/.config/fish/completions/viv.fish", "once"),
        ],
    };

    public override int Run(Invocation call)
    {
        var shell = call.Get(_shell)!;
        if (shell == "words")
        {
            foreach (var word in CompletionWords.For(call, call.Command ?? []))
            {
                call.Output.Line(word);
            }

            return 0;
        }

        if (call.Command is not null)
        {
            throw Invocation.Usage("'viv completion' takes no command after '--'");
        }

        _ = Values.OneOf(shell, "SHELL", "bash", "zsh", "fish");
        call.Output.Write(Script(shell));
        return 0;
    }

    /// <summary>The script for bash, zsh or fish.</summary>
    public static string Script(string shell) => shell switch { "bash" => Bash, "zsh" => Zsh, _ => Fish };

    private const string Bash = """
        # bash completion for viv
        _viv() {
            local IFS=$'\n'
            local cur="${COMP_WORDS[COMP_CWORD]}"
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$cur"))
            if [[ ${#COMPREPLY[@]} -eq 0 ]]; then compopt -o default; fi
        }
        complete -F _viv viv

        """;

    private const string Zsh = """
        #compdef viv
        _viv() {
            local -a found
            found=(${(f)"$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
            if (( ${#found} )); then compadd -a found; else _files; fi
        }
        if [ "$funcstack[1]" = "_viv" ]; then _viv "$@"; else compdef _viv viv; fi

        """;

    private const string Fish = """
        # fish completion for viv
        function __viv_words
            set -l typed (commandline -opc) (commandline -ct)
            $typed[1] completion words -- $typed[2..-1] 2>/dev/null
        end
        complete -c viv -f -a '(__viv_words)'

        """;
}
