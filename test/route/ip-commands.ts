// Commands of `ip`, by what they are about; `ip` itself is left out.

export const IP_COMMANDS: Readonly<Record<string, string>> = {
  'what a router has to begin with': `
    rule
    -6 rule
    route
    route show table all
    -6 route show table all
    route show table local
    -d route
    -j route show table all
    -6 -j route
    addr
    -4 addr
    -6 addr show dev tun0
    -o addr
    -j addr show dev tun1
    a s lo
    addr show to 10.0.0.0/8`,
  'rules added, listed and deleted': `
    rule add from 10.0.0.0/8 lookup 100
    rule add fwmark 1 lookup 100
    rule add fwmark 0x10/0xff lookup 100 pref 1000
    rule add to 10.0.0.1 iif tun0 oif tun1 tos 0x10 ipproto tcp sport 80 dport 1000-2000 prohibit
    rule add not from 10.0.0.0/8 iif foo blackhole
    rule add goto 32766 pref 50
    rule add goto 60000 pref 51
    rule add nop pref 52
    rule add lookup main suppress_prefixlength 0 pref 53
    rule add unreachable pref 54 protocol static
    rule add tos CS1 pref 56 table 5
    rule add type prohibit pref 57 from 1.2.3.4
    rule
    -j rule
    rule list table 100
    rule show fwmark 1
    rule show pref 1000
    rule del from 10.0.0.0/8
    rule del pref 52
    rule del fwmark 1
    rule delete goto 60000 pref 51
    rule
    -6 rule add from 2001:db8::/32 tos 0x10 lookup 9
    -6 rule add fwmark 7 goto 99999
    rule add to 2001:db8:9::/48 lookup 8
    -6 rule
    -6 -j rule
    rule flush
    rule
    rule add from 1.2.3.4
    rule`,
  'rules that are refused': `
    rule add fwmark 0x10/0xff lookup 100 pref 1000
    rule add fwmark 0x10/0xff lookup 100 pref 1000
    rule del pref 9999
    rule add goto 10 pref 20
    rule add bogus
    rule add from 10.0.0.1/33 lookup 1
    rule add from
    rule add table foo
    rule del
    rule add pref
    rule add tos 0x13 lookup 5
    rule foo
    rule`,
  'routes added, shown and deleted': `
    route add default via 203.0.113.254
    route add default via 203.0.113.253 metric 100
    route append default via 203.0.113.252
    route add 10.2.0.0/16 via 10.0.1.2 src 10.0.1.7 mtu 1400 advmss 1300 table 100 proto static
    route add 10.3.0.0/16 via 172.16.0.1 dev tun0 onlink mtu lock 1300
    route add unreachable 10.4.0.0/16 metric 5
    route add prohibit 10.5.0.0/16
    route add blackhole 10.6.0.0/16
    route add throw 10.7.0.0/16 table 100
    route add local 10.8.0.0/16 dev lo
    route add local 10.8.0.0/16 dev tun0 table 100
    route add broadcast 10.0.1.0 dev tun0 table local
    route add 10.9.0.0/16 nexthop via 10.0.1.2 weight 3 nexthop dev tun1 nexthop via 203.0.113.9 dev tun1
    route add 10.99.0.0/16 dev tun0 scope link
    route add 10.98.0.0/16 via 10.99.0.1
    route show
    -d route show
    -j route show
    route show table 100
    route show table local
    route show 10.0.0.0/8
    route show root 10.0.0.0/8
    route show match 10.9.1.1
    route show exact 10.9.0.0/16
    route show to root 10.9.0.0/16
    route show dev tun1
    route show via 203.0.113.254
    route show proto kernel
    route show type unreachable
    route show scope link
    -o route show 10.9.0.0/16
    route del default metric 100
    route replace default via 203.0.113.99
    route del 10.99.0.0/16
    route del 10.2.0.0/16 via 10.0.1.3 table 100
    route del 10.2.0.0/16 via 10.0.1.2 table 100
    route del throw 10.7.0.0/16 table 100
    r
    route flush dev tun1
    route show
    route flush table 100
    route show table 100
    route flush root 10.0.0.0/8
    route`,
  'routes that are refused': `
    route add default via 203.0.113.254
    route add default via 203.0.113.253
    route add 10.2.0.0/16 via 10.9.9.9
    route add 10.2.0.1/16 via 10.0.1.2
    route add 10.2.0.0/16
    route add local 10.8.0.0/16
    route add 10.2.0.0/16 dev foo
    route add 10.2.0.0/16 via 10.0.1.2 src 9.9.9.9
    route add 10.97.0.0/16 via 10.98.0.1
    route del 10.77.0.0/16
    route change 1.2.3.0/24 via 10.0.1.2
    route add 10.1.0.0/16 bogus
    route add 10.1.0.0/16 via 203.0.113.2 mtu
    route add 10.1.0.0/16 via 203.0.113.2 mtu x
    route add 10.1.0.0/16 via 203.0.113.2 metric x
    route add 10.1.0.0/16 via x
    route add 10.1.0.0/x via 203.0.113.2
    route add foo via 203.0.113.2
    route add 10.1.0.0/16 via 203.0.113.2 table foo
    route add 10.1.0.0/16 via 203.0.113.2 proto foo
    route show table 99
    route show table foo
    route show dev foo
    route flush
    route foo
    foo
    route`,
  'routes of IPv6': `
    -6 route add default via 2001:db8:2::254
    -6 route add default via 2001:db8:2::253
    -6 route append default via 2001:db8:2::253
    -6 route add 2001:db8:5::/48 via fe80::2
    -6 route add 2001:db8:5::/48 via fe80::2 dev tun0 mtu 1400
    -6 route add 2001:db8:6::/48 via 2001:db8:9::1 table 5
    -6 route add 2001:db8:7::1/48 dev tun1 src 2001:db8:2::1
    -6 route add 2001:db8:8::/48 dev tun1 src 2001:db8:77::1
    -6 route add unreachable 2001:db8:9::/48
    -6 route add throw 2001:db8:10::/48 table 100
    -6 route add 2001:db8:11::/48 nexthop via 2001:db8:2::9 weight 2 nexthop via fe80::5 dev tun0
    route add 2001:db8:12::/48 dev tun0 metric 7
    -6 route show
    -6 -j route show
    -6 route show table 100
    -6 route show dev tun0
    -6 route show root 2001:db8::/32
    -6 route del default via 2001:db8:2::254
    -6 route show default
    -6 route del 2001:db8:99::/48
    -6 route replace 2001:db8:5::/48 via fe80::3 dev tun0
    -6 route
    -6 route flush table main
    -6 route show table all`,
  'where a packet would go': `
    route add default via 203.0.113.254
    route add 10.3.0.0/16 via 172.16.0.1 dev tun0 onlink mtu 1300
    route add unreachable 10.4.0.0/16
    route add prohibit 10.5.0.0/16
    route add blackhole 10.6.0.0/16
    route add default via 203.0.113.2 table 7
    route get 8.8.8.8
    route get 10.0.1.1
    route get 10.4.0.1
    route get 10.5.0.1
    route get 10.6.0.1
    route get 8.8.8.8 from 10.0.1.2 iif tun0
    route get 10.0.1.1 from 8.8.8.8 iif tun1
    route get 10.0.1.255
    route get 8.8.8.8 mark 4
    route get 10.3.0.1
    route get 10.3.0.1 from 10.0.1.7
    -j route get 8.8.8.8
    route get
    rule add fwmark 3 table 7
    route get 8.8.8.8 mark 3
    route get 203.0.113.1
    -6 route add 2001:db8:5::/48 via fe80::2 dev tun0 mtu 1400
    -6 route add unreachable 2001:db8:9::/48
    -6 route get 2001:db8:5::1
    -6 route get 2001:db8:9::1
    -6 route get 2001:db8:1::1
    -6 route get 2001:db8:77::1`,
  'addresses added and deleted': `
    addr add 10.0.1.1/24 dev tun0
    addr add 10.0.1.8/24 brd + dev tun0
    addr add 10.5.1.7 dev tun0
    addr add 10.6.1.7 peer 10.6.1.8 dev tun0
    addr add 10.0.1.7/33 dev tun0
    addr add 10.0.1.7/24
    addr add 10.0.1.7/24 dev foo
    addr add dev tun0
    addr add 2001:db8:1::2/64 dev tun0 nodad
    addr add 2001:db8:1::2/64 dev tun0 nodad
    addr show dev tun0
    -j addr show dev tun0
    addr show foo
    route add 10.9.0.0/16 via 10.0.1.2 src 10.0.1.7
    route add 10.9.0.0/16 via 10.0.1.2 src 10.0.1.7 table 5
    -6 route add 2001:db8:5::/48 via fe80::2 dev tun0 src 2001:db8:1::2
    addr del 10.0.1.1/24 dev tun0
    addr show dev tun0
    route show table all
    addr del 10.0.1.1/24 dev tun0
    addr del 10.5.1.7 dev tun0
    addr del 2001:db8:1::2/64 dev tun0
    addr del 2001:db8:1::2/64 dev tun0
    -6 route show table all
    addr flush dev tun0
    addr flush
    route show table all
    addr foo`,
}
