// Command lines that the real ipset is asked about, and answers the same: elements, and what is wrong with them.

import { commands } from './commands.ts'

export const ELEMENTS = commands(`
create n hash:net
add n 10.0.0.0/8
add n 10.1.2.3/8
add n 0.0.0.0/0
add n 0.0.0.0
add n 1.2.3.4/32
add n 10.0.0.1-10.0.0.6
add n 10.0.0.6-10.0.0.1
add n 0.0.0.0-255.255.255.255
add n 1.2.3.4/0
add n 1.2.3.4/255.0.0.0
test n 10.1.2.3
test n 10.1.2.0/24
test n 10.0.0.0/8
test n 11.0.0.1
test n 10.1.2.3-10.1.2.4
add n 10.9.0.0/16 nomatch
test n 10.9.0.1
test n 10.9.0.1 nomatch
test n 10.9.0.0/16
test n 10.9.0.0/16 nomatch
test n 10.8.0.1 nomatch
add -! n 10.9.0.0/16
save n
add -! n 10.9.0.0/16 nomatch
del n 10.9.0.0/16 nomatch
del n 10.9.0.0/16
save n
-s save n
create p hash:ip,port
add p 1.2.3.4,80
add p 1.2.3.4,udp:80
add p 1.2.3.4,udp:53-55
add p 1.2.3.4,icmp:8/0
add p 1.2.3.4,icmp:echo-reply
add p 1.2.3.4,icmp:ping
add p 1.2.3.4,icmp:9
add p 1.2.3.4,icmp:foo
add p 1.2.3.4,icmp:300/0
add p 1.2.3.4,icmp:5/7
add p 1.2.3.4,icmp:8/0-9/0
add p 1.2.3.4,icmpv6:8/0
add p 1.2.3.4,47:0
add p 1.2.3.4,gre:0
add p 1.2.3.4,gre:7
add p 1.2.3.4,foo:7
add p 1.2.3.4,tcp:foo
add p 1.2.3.4,tcp:http
add p 1.2.3.4,domain
add p 1.2.3.4,sctp:7
add p 1.2.3.4,udplite:7
add p 1.2.3.4,132:8
add p 1.2.3.4,6:8
add p 1.2.3.4,0:8
add p 1.2.3.4,tcp:0
add p 1.2.3.4,tcp:
add p 1.2.3.4,:80
add p 1.2.3.4,
add p ,80
add p 1.2.3.4
add p 1.2.3.4,80,5.6.7.8
add p 1.2.3.4,tcp:70000
add p 1.2.3.4,70000
add p 1.2.3.4,80-79
add p 1.2.3.4,80-81-82
add p 1.2.3.4,tcp:80-tcp:81
add p 1.2.3.4,0x50
add p 1.2.3.4,http-https
add p 1.2.3.4,tcpmux-81
add p 1.2.3.0/31,tcp:90-91
add p 1.2.3.8-1.2.3.9,tcp:90-91
add p 0.0.0.0,tcp:90
add p 0.0.0.0/0,tcp:90
test p 1.2.3.0/31,tcp:90-91
del p 1.2.3.0/31,tcp:90-91
save p
add p 1.2.3.4,tcp:80,
add p 1.2.3.4-1.2.3.5-6,tcp:80
add p 1.2.3.4/24-1.2.3.5,tcp:80
add p [1.2.3.9],tcp:80
add p [1.2.3.9,tcp:80
add p 1.2.3.4,[http]
add p '1.2.3.9 ,80'
add p 1.2.3.4,tcp:80-
add p 1.2.3.4,tcp:-80
add p 1.2.3.4,-80
add p 1.2.3.4,80-
add p 1.2.3.4,udp:foo
add p 1.2.3.4,sctp:foo
add p 1.2.3.4,udp:70000
add p 1.2.3.4,TCP:80
add p 1.2.3.4,17:99
add p 1.2.3.4,300:99
add p 1.2.3.4,58:1/1
add p 1.2.3.4,1:1/1
add p 1.2.3.4,icmp:1/1/1
add p 1.2.3.4,icmp:1/300
add p 1.2.3.4,icmp:/
add p 1.2.3.4,icmp:
add p 1.2.3.4,icmp:TOS-host-redirect
add p 1.2.3.4,icmp:ec
add p 1.2.3.4,esp:0x0
add p 1.2.3.4,esp:foo
add p 1.2.3.4,esp:0-1
add p 1.2.3.4,tcp:80:81
add p 1.2.3.4,udp:domain
add p 1.2.3.4,tcp:tftp
add p 1.2.3.4,tftp
add p 1.2.3.4,udp:tftp
add p 1.2.3.4,icmp:0/0
add p 1.2.3.4,dccp:5
add p 1.2.3.4,ip:0
save p
create p6 hash:ip,port family inet6
add p6 ::1,80
add p6 ::1-::2,80
add p6 ::1/64,80
add p6 ::1/128,80
add p6 ::1,icmpv6:1/2
add p6 ::1,icmpv6:ping
add p6 ::1,icmpv6:neighbour-solicitation
add p6 ::1,icmp:1/2
add p6 [::1],80
add p6 1.2.3.4,80
add p6 ::,80
save p6
create i6 hash:ip family inet6
add i6 ::1/64
add i6 ::1-::2
add i6 fe80::1
add i6 ::
add i6 foo
add i6 1:2:3:4:5:6:7:8
add i6 ::ffff:1.2.3.4
add i6 ::1.2.3.4
add i6 1.2.3.4
add i6 fe80::1/128
add i6 fe80::1/129
create i6m hash:ip family inet6 netmask 64
add i6m 1:2:3:4:5:6:7:8
create i6n hash:net family inet6
add i6n 1:2:3:4:5:6:7:8/64
add i6n ::/0
add i6n ::1-::2
add i6n ::1/129
add i6n 1:2:3:4:5:6:7:8/63
test i6n 1:2:3:4:5:6:7:9
save
create a hash:ip comment timeout 50 counters
add a 1.1.1.1 comment -q
save a
add a 1.1.1.2 comment -o
add a 1.1.1.2 comment -foo
add a 1.1.1.3 time 4
add a 1.1.1.3 pack 4
add a 1.1.1.3 -timeout 4
add a 1.1.1.3 -t timeout 40
create -4 hash:ip
create f hash:ip -4 family inet6
create f hash:ip family inet family inet6
create f2 hash:ip hashsize 64 hashsize 128
create f3 hash:ip family inet6 netmask 64
create f4 hash:ip netmask 64 family inet6
create f5 hash:ip netmask 24 netmask 16
create f6 hash:ip probes 3 resize 5
create f7 hash:ip gc 5
create f8 hash:ip hashsize 0x100
create f9 hash:ip hashsize -5
create f12 hash:ip maxelem 4294967295
create f13 hash:ip bucketsize 0
create f14 hash:ip bucketsize 255
create f15 hash:ip bucketsize 256
create f18 hash:ip hashsize ' 5'
create f19 hash:ip hashsize '5 '
create f20 hash:ip hashsize ''
create f21 hash:ip hashsize +5
create f22 hash:ip hashsize 5x
create f23 hash:ip hashsize 08
save
add a 1.2.3.4-1.2.3.5/24
add a 1.2.3.4/24-1.2.3.5
add a [1.2.3.4]
add a [1.2.3.4
add a ' 1.2.3.4'
add a '1.2.3.4 '
add a 01.2.3.4
add a 0x1.2.3.4
add a 1.2.3.4.5
add a 4294967295
add a 4294967296
add a 1.2.65535
add a 1.2.3.4/0x18
add a 1.2.3.4/-1
add a 1.2.3.4/
add a /24
add a -
add a 0.0.0.0/1
`)
