// Command lines that the real ipset is asked about, and answers the same: abbreviations, options, and extensions.

import { commands } from './commands.ts'

export const OPTIONS = commands(`
-N a hash:ip
-A a 1.2.3.4
-T a 1.2.3.4
-D a 1.2.3.4
-L a
-S a
-F a
-E a b
-W a b
-X b
n a iphash
create b iphash
a a 1.2.3.4
ad a 1.2.3.5
--add a 1.2.3.6
-add a 1.2.3.7
addx a 1.2.3.7
del a 1.2.3.4 -exist
-exist del a 1.2.3.4
! del a 1.2.3.4
--exist del a 1.2.3.4
del a -exist 1.2.3.4
t a 1.2.3.5
s a
l a -t
ls a -n
list -n a
list -t -o save
list a -s -t
sw a b
e a c
e c a
f a
flush
x a
x
c x hash:ip
cr x2 hash:ip
version
-v
-V
--version
v
-x
-o
-o foo list
-f
-q
list -q
create q hash:ip -q
create q hash:ip -q
-q create q hash:ip
-q add q foo
-q add nosuch 1.1.1.1
-q test q 1.1.1.1
-q foo
-! -q -s list q
restore foo
list q foo
list q q
destroy q q2
-n list q
-t -n list q
-o xml save q
list q -o xml -s
add q 1.1.1.1 extra1 extra2
test q 1.1.1.1 extra
del q 1.1.1.1 extra
create w hash:ip family
create w hash:ip -4
create w2 hash:ip counters comment skbinfo timeout 10000 forceadd
add w2 1.1.1.1 timeout 0
add w2 1.1.1.2 timeout 2147484
add w2 1.1.1.2 timeout -1
add w2 1.1.1.2 timeout 0x10000
add w2 1.1.1.3 timeout 0100000
add w2 1.1.1.4 timeout 1.5
add w2 1.1.1.5 packets 18446744073709551615 bytes 18446744073709551615
add w2 1.1.1.6 packets 18446744073709551616
add w2 1.1.1.6 packets 18446744073709551614
add w2 1.1.1.7 comment ''
add w2 1.1.1.8 comment 'a"b'
add w2 1.1.1.9 comment 'a b c'
add w2 1.1.1.10 comment "a'b"
add w2 1.1.1.12 comment a&<b>
add w2 1.1.1.13 skbmark 0x10
add w2 1.1.1.14 skbmark 0x10/0xf0
add w2 1.1.1.15 skbmark 10/f0
add w2 1.1.1.16 skbmark 0x10/
add w2 1.1.1.17 skbmark 0xfffffffff
add w2 1.1.1.18 skbprio 1:2
add w2 1.1.1.19 skbprio 0x1:0x2
add w2 1.1.1.20 skbprio 1
add w2 1.1.1.21 skbprio 1:10000
add w2 1.1.1.22 skbqueue 65535
add w2 1.1.1.23 skbqueue 65536
add w2 1.1.1.24 skbmark 0x0
add w2 1.1.1.25 skbprio 0:0 skbqueue 0
add w2 1.1.1.26 skbmark 0x0/0x0
add w2 1.1.1.27 bytes 0x10
add w2 1.1.1.28 timeout 5 timeout 6
add w2 1.1.1.29 packets 5 packets 6
add w2 1.1.1.30 comment a comment b
add w2 1.1.1.31 --comment a
add w2 1.1.1.32 -comment a
save w2
list w2 -o xml
create w3 hash:ip comment
add w3 1.1.1.1 comment a
add w3 1.1.1.1 -exist
save w3
add w3 1.1.1.1 -exist comment b
save w3
add w3 1.1.1.1 comment c
flush
destroy
create a hash:ip comment timeout 50
add a foo timeout x
add a 1.1.1.1 timeout x
add a foo bar
add a foo timeout
add nosuch foo bar
create b foo bar
create 01234567890123456789012345678901 foo
create b hash:ip foo bar
create b hash:ip hashsize x foo
create b hash:ip family inet6 hashsize x maxelem y
create b hash:ip netmask 99 hashsize x
create b hash:ip netmask 64 -6
create b2 hash:ip bitmask ffff:: -6
create b3 hash:ip bitmask ffff::
create b4 hash:ip netmask 64 hashsize x
swap nosuch nosuch2
rename nosuch a
add a 1.1.1.1,
add a ,1.1.1.1
create ipn hash:ip,port,net
add ipn 1.1.1.1
add ipn 1.1.1.1,80
add ipn 1.1.1.1,80,
add ipn ,80,1.1.1.1
add ipn 1,,1.1.1.1
add ipn 1,80,1.1.1.1,5
add ipn 1,80,1.1.1.1,
add a 1.2.3.4/0
add a foo/33
add a 1.2.3.4/300
add a 1.2.3.4/x
create bp bitmap:port range 0-100
test bp 1-2
add bp gre:0
add bp tcp:http-90
test ipn 1.1.1.1,80-80,1.1.1.1
test ipn 1.1.1.1/32,80,1.1.1.1
create np hash:net,port
test np 1.1.1.1-1.1.1.2,80-81
test np 1.1.1.1/31,80-81
create ni hash:net,iface
test ni 1.1.1.1-1.1.1.2,eth0
add ni 1.1.1.0-1.1.1.3,eth0
add ni 0.0.0.0-255.255.255.255,eth0
add ni 1.2.3.4/0,eth0
create bi bitmap:ip range 1.0.0.0/24
test bi 1.0.0.0/32
add bi 1.0.0.0/0
add bi 1.0.0.0/23
create ls list:set
add ls a before
add ls a before b c
add ls a after a
add ls a before a
test ls a before
create x hash:ip,port,ip
create xx hash:ip,port
add xx 1.2.3.4/0,80
add x 1.2.3.4/0,80,1.1.1.1
del np 10.0.0.0/8,80
del xx 10.0.0.0/30,80
del -! xx 10.0.0.0/30,80
add -! x 1.2.3.4-1.2.3.5,80,1.1.1.1
test bp tcp:80
create bmm bitmap:ip,mac range 1.0.0.0/24 timeout 50 comment counters
add bmm 1.0.0.1-1.0.0.2
add bmm 1.0.0.1/31
add bmm 1.0.0.1,aa:bb:cc:dd:ee:ff,x
add bmm 1.0.0.1,AA-bb-cc-dd-ee-ff
add bmm 1.0.0.1,1:2:3:4:5:6
add bmm 1.0.1.1,1:2:3:4:5:6
add bmm 1.0.0.9 timeout 5
save bmm
del bmm 1.0.0.1,1:2:3:4:5:7
del bmm 1.0.0.1
save bmm
save bmm
create bmmr bitmap:ip,mac range 1.0.0.0/15
create in hash:ip,port,net
add in 1.1.1.1,80,1.1.1.1-1.1.1.2
add in 1.1.1.1,80,0.0.0.0
add in 1.1.1.1,80,1.1.1.1/32
test in 1.1.1.1/31,80,1.1.1.1
test in 1.1.1.1,80,1.1.1.1-1.1.1.2
del in 1.1.1.1,80-81,1.1.1.1
save in
create i6 hash:ip,port,net family inet6
add i6 1::1,80,2::/16
add i6 1::1,80,::/0
add i6 1::1,80,2::-3::
create n6 hash:net,port family inet6
add n6 1::/16,tcp:80-81
add n6 1::-2::,tcp:80-81
add n6 ::/0,tcp:80-81
create np6 hash:net,iface family inet6
add np6 1::-2::,eth0
create s1 bitmap:ip range 1.0.0.0/24 comment
create s2 hash:ip comment
swap s1 s2
create s4 hash:ip family inet6
swap s4 s2
create s5 hash:net
swap s5 s2
create l list:set size 4
add l s1
add l s2
add l s4
add l bp
add l xx
save l
`)
