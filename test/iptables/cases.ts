// Rules and the form in which iptables 1.8.9 saves them. Each line is `TABLE RULE`; lines of one
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

/** A case as a rule file. */
export function fileOf(rule: string): string {
  const [table, ...rest] = rule.split(' ')
  const lines = rest.length === 0 ? [] : rest.join(' ').split(' ; ')
  return [`*${table}`, ...lines, 'COMMIT', ''].join('\n')
}
