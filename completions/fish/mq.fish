# fish completion for mq and its tools: copy it to a directory of
# $fish_complete_path, or source it. The tools themselves say what could come
# next (--complete-words).

function __mq_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l tool $words[1]
    set -e words[1]

    if test (string replace -r '.*/' '' -- $tool) = mq
        if test (count $words) -eq 0
            printf '%s\n' help (complete -C mq- | string replace -r '^mq-([^\t]*).*' '$1')
            return
        end
        test $words[1] = help; and return
        set tool (string replace -r 'mq$' '' -- $tool)mq-$words[1]
        set -e words[1]
    end
    for line in ($tool --complete-words $words "$current" 2>/dev/null)
        set -l parts (string split -m1 \t -- $line)
        switch $parts[1]
            case :file
                __fish_complete_path "$current"
            case :dir
                __fish_complete_directories "$current" ''
            case :topic :group
                set -l where (string split -n \t -- $parts[2])
                set -l lister mq-(string sub -s 2 -- $parts[1])s
                command $lister $where -m 1 list '*' '__*' 2>/dev/null
            case '*'
                printf '%s\n' $line
        end
    end
end

for tool in mq mqd mq-produce mq-consume mq-topics mq-groups mq-dump-log mq-index
    complete -c $tool -f -a '(__mq_complete)'
end
