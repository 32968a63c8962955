// Rules and the form in which iptables 1.8.9 saves them, and rules that it refuses. Each line is `TABLE RULE`; lines of one
// file are joined by ` ; `. That the real tools agree is itself a test (beside-iptables.test.ts).

/** Written, saved; saved in the same words where there is only one. */
export const ACCEPTED: readonly (readonly [string, string?])[] = [
  // Addresses.
  ['filter -A INPUT -s 10', 'filter -A INPUT -s 10.0.0.0/32'],
  ['filter -A INPUT -s 10/8', 'filter -A INPUT -s 10.0.0.0/8'],
  ['filter -A INPUT -s 10.1.2.3/16 -d 1.2.3.4', 'filter -A INPUT -s 10.1.0.0/16 -d 1.2.3.4/32'],
  ['filter -A INPUT -s 10.1.2.3/255.0.255.0', 'filter -A INPUT -s 10.0.2.0/255.0.255.0'],
  ['filter -A INPUT -s 0x01.2.3.010', 'filter -A INPUT -s 1.2.3.8/32'],
  ['filter -A INPUT -s any/0 -d 1.2.3.4/0.0.0.0', 'filter -A INPUT'],
  ['filter -A INPUT ! -s 0/0', 'filter -A INPUT ! -s 0.0.0.0/0'],
  [
    'filter -A INPUT -s 10.0.0.1,10.0.0.2 -d 1.1.1.1,2.2.2.2 -j DROP',
    'filter -A INPUT -s 10.0.0.1/32 -d 1.1.1.1/32 -j DROP ; -A INPUT -s 10.0.0.1/32 -d 2.2.2.2/32 -j DROP ; ' +
      '-A INPUT -s 10.0.0.2/32 -d 1.1.1.1/32 -j DROP ; -A INPUT -s 10.0.0.2/32 -d 2.2.2.2/32 -j DROP',
  ],
  // Devices, protocols, fragments.
  ['filter -A INPUT -i + -j ACCEPT', 'filter -A INPUT -j ACCEPT'],
  ['filter -A FORWARD ! -i eth+ -o abcdefghijklmno -j ACCEPT'],
  ['filter -A INPUT -p ALL -j ACCEPT', 'filter -A INPUT -j ACCEPT'],
  ['filter -A INPUT ! -p 0x11', 'filter -A INPUT ! -p udp'],
  ['filter -A INPUT -p 4', 'filter -A INPUT -p ipencap'],
  ['filter -A INPUT -p mh', 'filter -A INPUT -p mobility-header'],
  ['filter -A INPUT -p 200'],
  [
    'filter -A INPUT ! --fragments ! -p icmp ! -i eth0 ! -d 1.1.1.1/24',
    'filter -A INPUT ! -d 1.1.1.0/24 ! -i eth0 ! -p icmp ! -f',
  ],
  ['filter -A INPUT -f -j DROP'],
  // Names of options and their beginnings; the protocol's own match.
  ['filter --app INPUT --sr 1.2.3.4 --ju ACCEPT', 'filter -A INPUT -s 1.2.3.4/32 -j ACCEPT'],
  ['filter -A INPUT -p TCP --dport 22', 'filter -A INPUT -p tcp -m tcp --dport 22'],
  ['filter -A INPUT -p 6 --destination-port=22', 'filter -A INPUT -p tcp -m tcp --dport 22'],
  ['filter -A INPUT -p tcp -j ACCEPT --dport 80', 'filter -A INPUT -p tcp -m tcp --dport 80 -j ACCEPT'],
  [
    'filter -A INPUT -p tcp -m comment --comment x --dport 80 -m limit --syn',
    'filter -A INPUT -p tcp -m comment --comment x -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -m limit --limit 3/hour',
  ],
  ['filter -A INPUT -p tcp -m multiport --dport 80,443', 'filter -A INPUT -p tcp -m multiport --dports 80,443'],
  [
    'filter -A INPUT -p tcp -j REJECT --dport 80 --reject-with tcp-reset -m state --state NEW',
    'filter -A INPUT -p tcp -m tcp --dport 80 -m state --state NEW -j REJECT --reject-with tcp-reset',
  ],
  ['filter -A INPUT -p tcp'],
  ['filter -A INPUT -p tcp -m tcp'],
  // tcp, udp, icmp.
  ['filter -A INPUT -p tcp --dport ssh:http', 'filter -A INPUT -p tcp -m tcp --dport 22:80'],
  [
    'filter -A INPUT -p tcp --sport 1024: --dport :0x50',
    'filter -A INPUT -p tcp -m tcp --sport 1024:65535 --dport 0:80',
  ],
  ['filter -A INPUT -p tcp --dport 0:65535', 'filter -A INPUT -p tcp -m tcp'],
  ['filter -A INPUT -p udp --dport ssh --sport 010:', 'filter -A INPUT -p udp -m udp --sport 10:65535 --dport 22'],
  ['filter -A INPUT -p udp ! --dport 53:40', 'filter -A INPUT -p udp -m udp ! --dport 53:40'],
  ['filter -A INPUT -p tcp ! --syn', 'filter -A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN'],
  [
    'filter -A INPUT -p tcp --tcp-flags ALL none ! --tcp-option 0x5',
    'filter -A INPUT -p tcp -m tcp ! --tcp-option 5 --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE',
  ],
  ['filter -A INPUT -p tcp --tcp-flags SYN SYN,ACK', 'filter -A INPUT -p tcp -m tcp --tcp-flags SYN SYN,ACK'],
  ['filter -A INPUT -p icmp --icmp-type PING', 'filter -A INPUT -p icmp -m icmp --icmp-type 8'],
  ['filter -A INPUT -p icmp --icmp-type fragmentation', 'filter -A INPUT -p icmp -m icmp --icmp-type 3/4'],
  ['filter -A INPUT -p icmp ! --icmp-type 255/3', 'filter -A INPUT -p icmp -m icmp ! --icmp-type any'],
  // Flows.
  [
    'filter -A INPUT -m state --state NEW,ESTABLISHED,related,INV,UNTRACKED,NEW',
    'filter -A INPUT -m state --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED',
  ],
  ['filter -A INPUT -m conntrack ! --ctstate INVALID,NEW,UNTRACKED,SNAT,DNAT'],
  [
    'filter -A INPUT -m conntrack --ctdir reply --ctexpire 10: --ctstatus assured,EXPECTED --ctproto tcp --ctorigsrc 10.1.2.3/255.255.0.0 --ctrepldst 1.2.3.4 ! --ctorigdstport 80:20 --ctreplsrcport ssh:',
    'filter -A INPUT -m conntrack --ctproto 6 --ctorigsrc 10.1.2.3/16 --ctrepldst 1.2.3.4 ! --ctorigdstport 80:20 --ctreplsrcport 22:65535 --ctstatus EXPECTED,ASSURED --ctexpire 10:4294967295 --ctdir REPLY',
  ],
  [
    'filter -A INPUT -m conntrack --ctstatus NONE --ctexpire 5:5',
    'filter -A INPUT -m conntrack --ctstatus NONE --ctexpire 5',
  ],
  [
    'filter -A INPUT -m conntrack ! --ctstatus CONFIRMED --ctorigsrcport 1 --ctrepldstport 0:65535',
    'filter -A INPUT -m conntrack --ctorigsrcport 1 --ctrepldstport 0:65535 ! --ctstatus CONFIRMED',
  ],
  // Others.
  [
    'filter -A INPUT -m multiport -p tcp ! --source-ports 80,90:100,ssh',
    'filter -A INPUT -p tcp -m multiport ! --sports 80,90:100,22',
  ],
  ['filter -A INPUT -p dccp -m multiport --port 1', 'filter -A INPUT -p dccp -m multiport --ports 1'],
  ['filter -A INPUT -m limit', 'filter -A INPUT -m limit --limit 3/hour'],
  [
    'filter -A INPUT -m limit --limit 60/min --limit-burst 0x10',
    'filter -A INPUT -m limit --limit 1/sec --limit-burst 16',
  ],
  ['filter -A INPUT -m limit --limit 90/MINUTE --limit-burst 5', 'filter -A INPUT -m limit --limit 90/min'],
  ['filter -A INPUT -m limit --limit 9999', 'filter -A INPUT -m limit --limit 10000/sec'],
  ['filter -A INPUT -m limit --limit 24/day', 'filter -A INPUT -m limit --limit 1/hour'],
  [
    'filter -A INPUT -m comment --comment a -m comment --comment "a \\"b\\" \\c\'"',
    'filter -A INPUT -m comment --comment a -m comment --comment "a \\"b\\" c\\\'"',
  ],
  ['filter -A INPUT -m comment --comment ""'],
  ['filter -A INPUT -m comment --comment !', 'filter -A INPUT -m comment --comment "!"'],
  ['filter -A INPUT -m comment --comment -foo_1'],
  ['filter -A INPUT -m comment --comment a\\b', 'filter -A INPUT -m comment --comment "a\\\\b"'],
  [
    'filter -A INPUT -m addrtype ! --src-type LOCAL,uni ! --dst-type BROADCAST',
    'filter -A INPUT -m addrtype ! --src-type UNICAST,LOCAL ! --dst-type BROADCAST',
  ],
  ['filter -A OUTPUT -m addrtype --dst-type LOCAL --limit-iface-out'],
  ['filter -A INPUT -m mark ! --mark 010/0x10', 'filter -A INPUT -m mark ! --mark 0x8/0x10'],
  ['filter -A INPUT -m mark --mark 4294967295/0xffffffff', 'filter -A INPUT -m mark --mark 0xffffffff'],
  // Targets.
  ['filter -A INPUT -j REJECT', 'filter -A INPUT -j REJECT --reject-with icmp-port-unreachable'],
  ['filter -A INPUT -j REJECT --reject-with ADMIN', 'filter -A INPUT -j REJECT --reject-with icmp-admin-prohibited'],
  ['filter -A INPUT -j REJECT --reject-with icmp-p', 'filter -A INPUT -j REJECT --reject-with icmp-proto-unreachable'],
  [
    'filter -A INPUT -p tcp -j REJECT --reject-with tcp-rst',
    'filter -A INPUT -p tcp -j REJECT --reject-with tcp-reset',
  ],
  ['filter -A INPUT -j LOG --log-level warning', 'filter -A INPUT -j LOG'],
  [
    'filter -A INPUT -j LOG --log-uid --log-tcp-options --log-level debug --log-prefix "abc: " --log-macdecode --log-ip-options --log-tcp-sequence',
    'filter -A INPUT -j LOG --log-prefix "abc: " --log-level 7 --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode',
  ],
  [
    'filter -A INPUT -j LOG --log-prefix abcdefghijklmnopqrstuvwxyzabcdef',
    'filter -A INPUT -j LOG --log-prefix abcdefghijklmnopqrstuvwxyzabc',
  ],
  ['nat -A POSTROUTING -j SNAT --to 1.2.3.4-1.2.3.9', 'nat -A POSTROUTING -j SNAT --to-source 1.2.3.4-1.2.3.9'],
  [
    'nat -A POSTROUTING -p tcp -j SNAT --persistent --to-source 1.2.3.4:0x50-90 --random-fully --random',
    'nat -A POSTROUTING -p tcp -j SNAT --to-source 1.2.3.4:80-90 --random --random-fully --persistent',
  ],
  ['nat -A INPUT -p icmp -j SNAT --to-source :1000'],
  [
    'nat -A PREROUTING -p tcp -j DNAT --to-destination 1.2.3.4:1000-2000/http',
    'nat -A PREROUTING -p tcp -j DNAT --to-destination 1.2.3.4:1000-2000/80',
  ],
  [
    'nat -A PREROUTING -p udp -j DNAT --to-destination 1.2.3.4-1.2.3.4:ssh',
    'nat -A PREROUTING -p udp -j DNAT --to-destination 1.2.3.4:22',
  ],
  [
    'nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1000-2000 --random-fully --random',
    'nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1000-2000 --random --random-fully',
  ],
  ['nat -A OUTPUT -p tcp -j REDIRECT --to-port 80-80', 'nat -A OUTPUT -p tcp -j REDIRECT --to-ports 80'],
  ['nat :PREROUTING DROP [0:0]', 'nat :PREROUTING DROP [0:0]'],
  ['mangle -A INPUT -j MARK --set-mark 0x1ff/0xf', 'mangle -A INPUT -j MARK --set-xmark 0x1ff/0x1ff'],
  ['mangle -A INPUT -j MARK --and-mark 0xf0', 'mangle -A INPUT -j MARK --set-xmark 0x0/0xffffff0f'],
  ['mangle -A INPUT -j MARK --or-mark 240', 'mangle -A INPUT -j MARK --set-xmark 0xf0/0xf0'],
  ['raw -A PREROUTING -j MARK --xor-mark 0xf0', 'raw -A PREROUTING -j MARK --set-xmark 0xf0/0x0'],
  ['raw -A PREROUTING -j CT --zone 0x10 --notrack', 'raw -A PREROUTING -j CT --notrack --zone 16'],
  ['raw -A PREROUTING -j CT --zone 0 ; -A OUTPUT -j NOTRACK', 'raw -A PREROUTING -j CT ; -A OUTPUT -j NOTRACK'],
  // Commands.
  [
    'filter -N foo ; -A foo -j RETURN ; -A INPUT -g foo ; -E foo bar',
    'filter :bar - [0:0] ; -A INPUT -g bar ; -A bar -j RETURN',
  ],
  [
    "filter :zz - ; :Za - [7:8] ; :a'b - ; -A zz -j a'b",
    "filter :Za - [0:0] ; :a'b - [0:0] ; :zz - [0:0] ; -A zz -j a'b",
  ],
  [
    'filter -I INPUT -j ACCEPT ; -I INPUT 2 -j DROP ; -I INPUT -s 1.1.1.1,2.2.2.2',
    'filter -A INPUT -s 2.2.2.2/32 ; -A INPUT -s 1.1.1.1/32 ; -A INPUT -j ACCEPT ; -A INPUT -j DROP',
  ],
  ['filter -A INPUT -j ACCEPT ; -R INPUT 1 -j DROP ; -C INPUT -j DROP', 'filter -A INPUT -j DROP'],
  [
    'filter -A INPUT -s 1.1.1.1,2.2.2.2 -j DROP ; -A INPUT -j LOG ; -D INPUT -j DROP --source 2.2.2.2,1.1.1.1 ; -D INPUT 1',
    'filter',
  ],
  [
    'filter -A INPUT -j DROP ; -N foo ; -N bar ; -F ; -X foo ; -Z INPUT ; -P INPUT DROP',
    'filter :INPUT DROP [0:0] ; :bar - [0:0]',
  ],
  ['filter [7:8]-A INPUT -4 -v -j ACCEPT ; -A INPUT -6 --what', 'filter -A INPUT -j ACCEPT'],
  [
    'filter :foo - ; -A INPUT -j ACCEPT ; -A INPUT -j foo ; -A foo -j foo',
    'filter :foo - [0:0] ; -A INPUT -j ACCEPT ; -A INPUT -j foo ; -A foo -j foo',
  ],
  [
    'filter :foo - ; :bar - ; -A foo -j bar ; -A bar -j foo',
    'filter :bar - [0:0] ; :foo - [0:0] ; -A bar -j foo ; -A foo -j bar',
  ],
]

/** The rule, where the complaint stands (LINE.COLUMN, lines counted from the one behind `*TABLE`), and what it says. */
export const REFUSED: readonly (readonly [string, string, string])[] = [
  [
    'filter -A INPUT -s foo',
    '1.13',
    "'foo' is not understood: expected an IPv4 address, with /LENGTH or /MASK for a network (host names are not looked up)",
  ],
  [
    'filter -A INPUT -s 1.1.1.1,2.2.2.2,x',
    '1.29',
    "'x' is not understood: expected an IPv4 address, with /LENGTH or /MASK for a network (host names are not looked up)",
  ],
  [
    'filter -A INPUT -s 1.2.3.4/33',
    '1.13',
    "'33' is no mask: expected a length from 0 to 32, or four parts as in 255.255.255.0",
  ],
  ['filter -A INPUT -s ! 10.0.0.1', '1.13', "! stands behind -s: expected '! -s 10.0.0.1'"],
  ['filter -A INPUT ! -s 10.0.0.1 -d 10.0.0.2,10.0.0.3', '1.12', '! cannot stand in a rule with several addresses'],
  [
    'filter -A INPUT -s ::1',
    '1.13',
    "'::1' is not understood: expected an IPv4 address, with /LENGTH or /MASK for a network (host names are not looked up)",
  ],
  ['filter -A INPUT -s 1.1.1.1 -s 2.2.2.2', '1.21', 'multiple -s flags not allowed: expected one'],
  [
    'filter -A INPUT -i abcdefghijklmnop -j ACCEPT',
    '1.13',
    "'abcdefghijklmnop' is too long: expected a device's name of at most 15 bytes, with + at its end for every name that begins so",
  ],
  ['filter -A INPUT -o eth0 -j ACCEPT', '1.10', "Can't use -o with INPUT, where a packet goes to no device yet"],
  ['filter -A OUTPUT -i eth0 -j ACCEPT', '1.11', "Can't use -i with OUTPUT, where a packet comes from no device"],
  ['filter -A INPUT ! -p all', '1.15', '! -p all would match nothing'],
  ['filter -A INPUT -p tpc', '1.13', "'tpc' is not understood: expected a protocol's name, or a number from 0 to 255"],
  ['filter -A INPUT -p tcp -p udp', '1.17', 'multiple -p flags not allowed: expected one'],
  ['filter -A INPUT -f --fragments', '1.13', 'multiple --fragments flags not allowed: expected one'],
  [
    'filter -A INPUT --dport 80',
    '1.10',
    'unknown option "--dport" here: expected -p tcp or -p udp or -p sctp or -p dccp or -p udplite to stand before it',
  ],
  ['filter -A INPUT -p tcp --dprot 80', '1.17', 'unknown option "--dprot"; did you mean \'--dport\'?'],
  [
    'filter -A INPUT -p tcp -dport 80',
    '1.17',
    "'-dport': expected a blank between -d and its value; did you mean '--dport'?",
  ],
  ['filter -A INPUT --s 1.2.3.4', '1.10', "'--s' could be --source or --src or --set-counters"],
  [
    'filter -A INPUT -p tcp --dport',
    '1.17',
    '--dport needs a value: expected a port from 0 to 65535 or a service name, or a range FIRST:LAST of them',
  ],
  [
    'filter -A INPUT -p tcp --dport 70000',
    '1.25',
    "--dport: '70000' is out of range: expected a port from 0 to 65535 or a service name, or a range FIRST:LAST of them",
  ],
  [
    'filter -A INPUT -p tcp --dport htttp',
    '1.25',
    "--dport: 'htttp' is neither a port number nor a known service: expected a port from 0 to 65535 or a service name, or a range FIRST:LAST of them",
  ],
  [
    'filter -A INPUT -p tcp --dport 80:20',
    '1.25',
    "--dport: '80:20' runs backwards: expected a port from 0 to 65535 or a service name, or a range FIRST:LAST of them",
  ],
  ['filter -A INPUT -p tcp --dport ! 80', '1.25', "! stands behind --dport: expected '! --dport 80'"],
  ['filter -A INPUT -p tcp --dport 80 --dport 90', '1.28', '--dport is given twice for match tcp'],
  ['filter -A INPUT -p tcp --syn --tcp-flags ALL SYN', '1.23', '--tcp-flags and --syn cannot stand together'],
  [
    'filter -A INPUT -p tcp --tcp-flags SYN',
    '1.17',
    '--tcp-flags needs 2 words: expected two words, the flags to look at and those of them that are to be set, each FIN,SYN,RST,PSH,ACK,URG, some of them joined by commas, ALL or NONE',
  ],
  [
    'filter -A INPUT -p tcp --tcp-flags SYN FOO',
    '1.33',
    "--tcp-flags: 'FOO' is not understood: expected FIN,SYN,RST,PSH,ACK,URG, some of them joined by commas, ALL or NONE",
  ],
  ['filter -A INPUT -m tcp --dport 80', '1.13', 'match tcp needs -p tcp'],
  ['filter -A INPUT ! -p tcp --dport 80', '1.19', 'match tcp needs -p tcp'],
  [
    'filter -A INPUT -p icmp --icmp-type echo',
    '1.30',
    "--icmp-type: 'echo' could be echo-reply or echo-request: expected a type's name, a number from 0 to 255, TYPE/CODE, or any",
  ],
  ['filter -A INPUT -p icmp -m icmp', '1.21', 'match icmp needs --icmp-type'],
  [
    'filter -A INPUT -m state --state NEW,ESTABLISH,FOO',
    '1.27',
    "--state: 'FOO' is not understood: expected one or more of INVALID,NEW,ESTABLISHED,RELATED,UNTRACKED, joined by commas",
  ],
  [
    'filter -A INPUT -m conntrack',
    '1.13',
    'match conntrack needs one of --ctstate, --ctproto, --ctorigsrc, --ctorigdst, --ctreplsrc, --ctrepldst, --ctorigsrcport, --ctorigdstport, --ctreplsrcport, --ctrepldstport, --ctstatus, --ctexpire, --ctdir',
  ],
  ['filter -A INPUT -m conntrack ! --ctdir REPLY', '1.25', '! cannot stand before --ctdir'],
  [
    'filter -A INPUT -m conntrack --ctexpire 4294967296',
    '1.34',
    "--ctexpire: '4294967296' is not understood: expected a number or a range FROM:TO, from 0 to 4294967295",
  ],
  [
    'filter -A INPUT -p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16',
    '1.39',
    "--dports: '1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16' is too long (16 places): expected up to 15 ports or service names, joined by commas; a range FIRST:LAST counts for two",
  ],
  [
    'filter -A INPUT -m multiport --dports 1 -p tcp',
    '1.32',
    '--dports: the protocol is not known here: expected -p tcp, udp, udplite, sctp or dccp to stand before it',
  ],
  ['filter -A INPUT -p tcp -m multiport --sports 1 --dports 1', '1.41', '--dports and --sports cannot stand together'],
  [
    'filter -A INPUT -m limit --limit 5/x',
    '1.27',
    "--limit: '5/x' is not understood: expected a rate such as 5/second, 10/minute, 3/hour or 1/day, at most 10000/second",
  ],
  [
    'filter -A INPUT -m limit --limit 10001/s',
    '1.27',
    "--limit: '10001/s' is too fast: expected a rate such as 5/second, 10/minute, 3/hour or 1/day, at most 10000/second",
  ],
  [
    'filter -A INPUT -m limit --limit 5 --limit-burst 0',
    '1.43',
    "--limit-burst: '0' is out of range: expected a number from 1 to 10000",
  ],
  ['filter -A INPUT -m addrtype --limit-iface-in', '1.13', 'match addrtype needs one of --src-type, --dst-type'],
  [
    'filter -A INPUT -m addrtype --dst-type LOCAL --limit-iface-out',
    '1.1',
    'match addrtype with these options cannot stand in INPUT: expected FORWARD or OUTPUT or POSTROUTING',
  ],
  [
    'filter -A INPUT -m mark --mark 1/',
    '1.25',
    "--mark: '1/' is not understood: expected a mark from 0 to 0xffffffff, with or without /MASK",
  ],
  ['filter -A INPUT -m nosuch --foo', '1.13', "Couldn't load match `nosuch':No such file or directory"],
  ['filter -A INPUT -m limt', '1.13', "Couldn't load match `limt':No such file or directory; did you mean 'limit'?"],
  ['filter -A INPUT -j ACCEPT -j DROP', '1.20', 'multiple -j flags not allowed: expected one -j or -g'],
  ['filter -A INPUT ! -j ACCEPT', '1.10', '! cannot stand before -j'],
  [
    'filter -A INPUT -j ACEPT',
    '1.13',
    "Couldn't load target `ACEPT':No such file or directory; did you mean 'ACCEPT'?",
  ],
  ['filter -A INPUT -j OUTPUT', '1.13', "OUTPUT is a built-in chain: expected a chain of one's own, or a target"],
  ['filter -A INPUT -g ACCEPT', '1.13', "goto 'ACCEPT' is not a chain of table filter at this line"],
  ['filter -A INPUT -j foo ; :foo -', '1.13', "Couldn't load target `foo':No such file or directory"],
  ['filter -A INPUT -j ACCEPT --foo', '1.20', 'unknown option "--foo"'],
  [
    'filter -A INPUT -j REJECT --reject-with tcp-reset',
    '1.13',
    'target REJECT: tcp-reset answers TCP alone: expected -p tcp',
  ],
  [
    'filter -A INPUT -j REJECT --reject-with gone',
    '1.34',
    "--reject-with: 'gone' is not understood: expected one of icmp-net-unreachable, icmp-host-unreachable, icmp-proto-unreachable, icmp-port-unreachable, icmp-net-prohibited, icmp-host-prohibited, tcp-reset, icmp-admin-prohibited",
  ],
  ['mangle -A INPUT -j REJECT', '1.13', 'target REJECT cannot stand in table mangle: expected filter'],
  [
    'filter -A INPUT -j LOG --log-level warn',
    '1.29',
    "--log-level: 'warn' is not understood: expected a level from 0 to 7, or one of emerg, panic, alert, crit, error, warning, notice, info, debug",
  ],
  ['nat -A POSTROUTING -j SNAT', '1.19', 'target SNAT needs --to-source'],
  [
    'nat -A POSTROUTING -j SNAT --to-source 1.2.3.4:1000',
    '1.36',
    '--to-source: ports need a protocol that has them: expected -p tcp, udp, sctp, dccp or icmp to stand before it',
  ],
  [
    'nat -A POSTROUTING -p tcp -j SNAT --to-source 1.2.3.4:2000-1000',
    '1.43',
    "--to-source: '2000-1000' runs backwards: expected a port from 0 to 65535, a service name, or a range FIRST-LAST of numbers",
  ],
  [
    'nat -A PREROUTING -j SNAT --to-source 1.2.3.4',
    '1.1',
    'target SNAT cannot stand in PREROUTING: expected POSTROUTING or INPUT',
  ],
  [
    'nat :foo - ; :bar - ; -A foo -j MASQUERADE ; -A bar -j foo ; -A POSTROUTING -j foo ; -A OUTPUT -j bar',
    '3.1',
    'target MASQUERADE cannot stand in OUTPUT (OUTPUT -> bar -> foo): expected POSTROUTING',
  ],
  ['nat -A POSTROUTING -j DROP', '1.19', 'DROP cannot stand in table nat, which is not for filtering'],
  [
    'nat -A PREROUTING -p tcp -j DNAT --to-destination 1.2.3.4-',
    '1.47',
    "--to-destination: '1.2.3.4-' is not understood: expected ADDRESS, FIRST-LAST, either with or without :PORTS (:FIRST-LAST/BASE maps ports one to one), or :PORTS",
  ],
  [
    'mangle -A INPUT -j MARK',
    '1.13',
    'target MARK needs one of --set-xmark, --set-mark, --and-mark, --or-mark, --xor-mark',
  ],
  ['mangle -A INPUT -j MARK --set-mark 1 --or-mark 1', '1.31', '--or-mark and --set-mark cannot stand together'],
  ['filter -A INPUT -j NOTRACK', '1.13', 'target NOTRACK cannot stand in table filter: expected raw'],
  [
    'raw -A PREROUTING -j CT --zone 65536',
    '1.28',
    "--zone: '65536' is out of range: expected a zone from 0 to 65535, or mark",
  ],
  [
    'raw -A PREROUTING -p udp -j CT --helper amanda',
    '1.25',
    'target CT: No such helper "amanda" for udp of IPv4: expected one of netbios-ns, sip, tftp',
  ],
  ['filter -A INPUT junk', '1.10', "Bad argument `junk': expected an option"],
  ['filter -A INPUT ! ! -s 1.1.1.1', '1.12', 'two ! one after the other'],
  ['filter -A INPUT -s 1.1.1.1 !', '1.21', 'nothing stands behind !: expected an option that can be negated'],
  ['filter -A INPUT -t nat -j ACCEPT', '1.10', '-t cannot stand in a rule file'],
  ['filter -A foo -j ACCEPT', '1.4', "there is no chain 'foo' in table filter at this line"],
  [
    'filter -A INPUTT -j ACCEPT',
    '1.4',
    "there is no chain 'INPUTT' in table filter at this line; did you mean 'INPUT'?",
  ],
  ['filter -s 1.2.3.4 -j ACCEPT', '1.1', 'no command specified: expected -A CHAIN and a rule, or another command'],
  ['filter -A INPUT -N foo', '1.10', '-N cannot stand with -A: expected one command'],
  ['filter -F INPUT -s 1.1.1.1', '1.10', '-s cannot stand with -F'],
  [
    'filter :foo - ; :bar - ; :baz - ; -A INPUT -g foo ; -A foo -j bar ; -A bar -j baz ; -A baz -g foo',
    '7.1',
    'jumps run in a circle: foo -> bar -> baz -> foo',
  ],
  ['filter :foo - ; :foo -', '2.2', "there is a chain 'foo' already"],
  ['filter :foo ACCEPT [0:0]', '1.6', "chain 'foo' is not built in and has no policy: expected -"],
  [
    'filter :FORWRAD DROP [0:0]',
    '1.10',
    "chain 'FORWRAD' is not built in and has no policy: expected -; did you mean 'FORWARD'?",
  ],
  ['filter :INPUT', '1.7', "chain 'INPUT' has no policy here: expected ACCEPT, DROP or -"],
  ['filter :INPUT RETURN', '1.8', "'RETURN' is no policy: expected ACCEPT or DROP"],
  [
    'filter :abcdefghijklmnopqrstuvwxyz123 -',
    '1.2',
    "'abcdefghijklmnopqrstuvwxyz123' is too long a chain name: expected at most 28 bytes",
  ],
  ['filter -N foo ; -N foo', '2.4', "there is a chain 'foo' already"],
  ['filter -N LOG', '1.4', "LOG is a target's name: expected another"],
  ['filter -N -foo', '1.4', "'-foo' is no chain name: expected another first character than - and !"],
  ['filter -X INPUT', '1.4', 'INPUT is a built-in chain and stays'],
  ['filter -N foo ; -A foo ; -X foo', '3.4', 'chain foo is not empty (1 rules)'],
  ['filter -N foo ; -A INPUT -j foo ; -X foo', '3.4', 'chain foo is jumped to from INPUT'],
  ['filter -P INPUT REJECT', '1.10', "'REJECT' is no policy: expected ACCEPT or DROP"],
  ['filter -P INPUT', '1.1', '-P needs a chain and a policy: expected ACCEPT or DROP'],
  ['nat -P PREROUTING DROP', '1.15', 'table nat is not for filtering: expected policy ACCEPT'],
  ['filter -I INPUT 3 -j ACCEPT', '1.4', 'rule number 3 is too large: chain INPUT has 0 rules'],
  ['filter -I INPUT 0 -j ACCEPT', '1.10', "'0' is no rule number: expected 1 or more"],
  ['filter -R INPUT -j DROP', '1.1', '-R needs a rule number: expected -R CHAIN NUMBER and a rule'],
  ['filter -D INPUT -j ACCEPT', '1.4', 'chain INPUT has no such rule: -j ACCEPT'],
  ['filter -C INPUT -j ACCEPT', '1.4', 'chain INPUT has no such rule: -j ACCEPT'],
  ['filter -A INPUT -c 1 x -j ACCEPT', '1.10', '-c needs two numbers: expected PACKETS BYTES'],
  [
    'filter [7:8 -A INPUT -j ACCEPT',
    '1.1',
    'the counters are not understood: expected [PACKETS:BYTES] before the rule',
  ],
  ['filter -A INPUT -m comment --comment a b', '1.33', "Bad argument `b': expected an option"],
  ['filter -A INPUT -j LOG --log-prefix "open', '1.30', 'the quote that begins here is not closed on its line'],
]

/** Accepted by the real tools, and refused here on purpose: what it means cannot be kept, or is not what it says. */
export const REFUSED_HERE = new Set(['raw -A PREROUTING -p udp -j CT --helper amanda'])

/** A case as a rule file. */
export function fileOf(rule: string): string {
  const [table, ...rest] = rule.split(' ')
  const lines = rest.length === 0 ? [] : rest.join(' ').split(' ; ')
  return [`*${table}`, ...lines, 'COMMIT', ''].join('\n')
}
