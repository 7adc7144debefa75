#compdef viv
_viv() {
    local -a found
    found=(${(f)"$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = "_viv" ]; then _viv "$@"; else compdef _viv viv; fi
