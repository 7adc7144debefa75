# fish completion for viv
function __viv_words
    set -l typed (commandline -opc) (commandline -ct)
    $typed[1] completion words -- $typed[2..-1] 2>/dev/null
end
complete -c viv -f -a '(__viv_words)'
