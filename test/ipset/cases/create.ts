// Command lines that the real ipset is asked about, and answers the same: headers, lists, and what create takes.

import { commands } from './commands.ts'

export const CREATE = commands(`
create a hash:ip
create a hash:ip
create -! a hash:ip
create -! a hash:net
create b hash:net timeout 10 counters comment skbinfo
create c hash:ip,port family inet6 hashsize 5 maxelem 3 forceadd bucketsize 4 initval 0x12
create d hash:ip netmask 24
create e bitmap:ip range 10.0.0.0/24
create f bitmap:ip range 10.0.0.0-10.0.255.255 netmask 24 timeout 5
create g bitmap:port range 100-200
create h list:set size 4
create j hash:net,iface
create k hash:ip,port,ip
create l hash:ip,port,net
create m hash:net,port
create o bitmap:ip,mac range 1.0.0.0/24
save
list
list -t
list -n
add b 10.0.0.0/8 timeout 5 packets 3 bytes 7 comment 'hello world' skbmark 0x11/0xff skbprio 1:10 skbqueue 10
add b 1.2.3.4 nomatch
list b
save b
list b -o xml
list -o xml -n
list -o xml -t b
-o plain save b
-o save list b
add c 2001:db8::1,tcp:80
add c 2001:db8::2,80
add c 2001:db8::2,icmpv6:128/0
list c
flush
destroy
create a hash:ip
add a 1.2.3.4
add a 1.2.3.4
add -! a 1.2.3.4
del a 1.2.3.5
del -! a 1.2.3.5
test a 1.2.3.4
test a 1.2.3.5
test -q a 1.2.3.4
test nosuch 1.2.3.4
add nosuch 1.2.3.4
add a 10.0.0.1-10.0.0.4
add a 10.0.1.0/30
add a 10.0.2.5/30
add a 10.0.0.4-10.0.0.1
add a foo
add a 1
add a 10.1
add a 300.1.1.1
add a 1.2.3.4/33
add a 1.2.3.4/
add a 1.2.3.4/24/24
add a 1.2.3.4-
add a ::1
add a 0.0.0.0
add a 0.0.0.0/0
add a 1.2.3.4,80
add a
add
add a 1.2.3.4 timeout 5
add a 1.2.3.4 timeout
add a 1.2.3.4 foo
add a 1.2.3.4 packets 5
add a 1.2.3.4 comment x
add a 1.2.3.4 nomatch
add a 1.2.3.4 skbmark 5
add a 1.2.3.4 skbmark 0x5
add a 1.2.3.4 5.6.7.8
del a 1.2.3.4 timeout 4
test a 10.0.0.1-10.0.0.4
test a 10.0.0.0/30
del a 10.0.0.1-10.0.0.9
save a
-s save a
foo
create
create x
create x foo
create x hash:ip foo
create x hash:ip hashsize
create x hash:ip hashsize foo
create x hash:ip hashsize 0
create x hash:ip hashsize 1
create x hash:ip hashsize 99999999999
create x2 hash:ip maxelem 0
create x3 hash:ip family foo
create x3 hash:ip family unspec
create x3 hash:ip family ipv4
create x4 hash:ip -6
create x4a hash:ip family INET6
create x5 hash:ip netmask 0
create x6 hash:ip netmask 33
create x7 hash:ip netmask 32
create x7a hash:ip bitmask 255.255.0.255
create x7b hash:ip bitmask 255.255.0.255 netmask 24
create x8 hash:ip timeout 0
create x9 hash:ip timeout 2147484
create x10 hash:ip timeout 2147483
create x11 hash:ip bucketsize 1
create x12 hash:ip bucketsize 13
create x13 hash:ip bucketsize 15
create x11a hash:ip bucketsize 3
create x11b hash:ip bucketsize 11
create x14 hash:ip range 1.0.0.0/8
create x15 hash:ip size 3
create x16 bitmap:ip
create x17 bitmap:ip range 1.0.0.0
create x18 bitmap:ip range 1.0.0.0/8
create x19 bitmap:ip range 1.0.0.0/16
create x20 bitmap:ip range 1.0.0.0/8 netmask 24
create x21 bitmap:ip range 1.0.0.5-1.0.0.9
create x22 bitmap:ip range 1.0.0.5-1.0.0.1
create x23 bitmap:ip range 1.0.0.5/24
create x24 bitmap:ip range ::1
create x25 bitmap:port range 1
create x26 bitmap:port range 5-1
create x27 bitmap:port range 0-65536
create x28 bitmap:port range tcp:1-5
create x29 bitmap:port range http-https
create x30 list:set size 0
create x31 list:set
create x32 list:set size 65537
create 0123456789012345678901234567890 hash:ip
create 01234567890123456789012345678901 hash:ip
create 'a b' hash:ip
create '' hash:ip
create -x hash:ip
create x40 hash:ip counters counters
create x41 hash:ip timeout 5 timeout 6
create x42 nethash
create x43 iphash
create x44 ipporthash
create x45 hash:ip --timeout 5
create x46 hash:ip hashsize 100 --maxelem 5 -exist
create x47 hash:ip initval 5
create x48 hash:ip initval foo
create x49 hash:ip noforce
save
`)
