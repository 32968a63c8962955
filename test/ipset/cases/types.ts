// Command lines that the real ipset is asked about, and answers the same: types with two and three parts, bitmaps and lists.

import { commands } from './commands.ts'

export const TYPES = commands(`
create ipi hash:ip,port,ip
add ipi 1.2.3.4,80,5.6.7.8
add ipi 1.2.3.4,80,5.6.7.8/31
add ipi 1.2.3.4,80,5.6.7.8-5.6.7.9
add ipi 1.2.3.4-1.2.3.5,80-81,5.6.7.8
add ipi 1.2.3.4,80
add ipi 1.2.3.4,80,0.0.0.0
add ipi 0.0.0.0,80,1.1.1.1
test ipi 1.2.3.4,80,5.6.7.8
create ipn hash:ip,port,net
add ipn 1.2.3.4,80,5.6.7.8
add ipn 1.2.3.4,80,5.6.7.8/24
add ipn 1.2.3.4,80,5.6.7.8-5.6.7.11
add ipn 1.2.3.4/31,udp:80-81,5.6.8.0/24 nomatch
add ipn 1.2.3.4,80,0.0.0.0/0
test ipn 1.2.3.4,80,5.6.7.77
test ipn 1.2.3.4,80,5.6.7.0/24
test ipn 1.2.3.4,udp:80,5.6.8.1
create np hash:net,port
add np 10.0.0.0/8,80
add np 10.0.0.0/8,udp:80-81
add np 10.0.0.0-10.0.0.5,90
add np 10.9.0.0/16,80 nomatch
add np 0.0.0.0/0,99
test np 10.1.1.1,80
test np 10.9.1.1,80
create ni hash:net,iface
add ni 10.0.0.0/8,eth0
add ni 10.0.0.0/8,physdev:eth0
add ni 10.0.0.0/8,eth
add ni 10.0.0.0/8,et wildcard
add ni 10.0.0.0/8,eth0 wildcard
add ni 10.0.0.0/8,0123456789012345
add ni 10.0.0.0/8,012345678901234
add ni 10.0.0.0/8,
add ni 0.0.0.0/0,eth0
add ni 10.9.0.0/16,eth0 nomatch
add ni 10.0.0.0/8,eth+
add ni '10.0.0.0/8,a b'
add ni 1.2.3.0-1.2.3.5,eth0
test ni 10.1.1.1,eth0
test ni 10.1.1.1,eth1
test ni 10.9.1.1,eth0
test ni 10.1.1.0/24,eth0
test ni 10.0.0.0/8,et
test ni 10.1.1.1,physdev:eth0
save ni
del ni 10.0.0.0/8,et
del ni 10.0.0.0/8,et wildcard
save ni
create bi bitmap:ip range 10.0.0.0/24 timeout 100 counters comment skbinfo
add bi 10.0.0.1
add bi 10.0.1.1
add bi 10.0.0.250-10.0.1.5
add bi 10.0.0.1-10.0.0.5
add -! bi 10.0.0.1-10.0.0.5 comment x
add bi 10.0.0.16/30 packets 1
test bi 10.0.0.16/30
test bi 10.1.0.16
test bi 10.0.0.1-10.0.0.50
del bi 10.0.0.1-10.0.0.2
del bi 10.0.0.1-10.0.0.2
create bim bitmap:ip range 10.0.0.0/16 netmask 24
add bim 10.0.1.5
add bim 10.0.3.0/24
add bim 10.0.3.0-10.0.4.255
add bim 10.0.4.0-10.0.6.3
test bim 10.0.6.77
create bp bitmap:port range 10-20
add bp 10
add bp 21
add bp 10-12
add bp 11-12
add bp tcp:13
add bp udp:14
add bp 15,16
add bp foo
add bp 20-30
del bp 18
test bp 10
test bp 99
create bim2 bitmap:ip,mac range 10.0.0.0/24
add bim2 10.0.0.1
add bim2 10.0.0.2,aa:bb:cc:dd:ee:ff
add bim2 10.0.0.3,aa:bb:cc
add bim2 10.0.0.2,aa:bb:cc:dd:ee:00
add bim2 10.0.0.1,aa:bb:cc:dd:ee:01
test bim2 10.0.0.1
test bim2 10.0.0.1,aa:bb:cc:dd:ee:01
test bim2 10.0.0.1,aa:bb:cc:dd:ee:02
create l list:set size 2
create l2 list:set
add l ni
add l bi
add l bim
add l np
add l l2
add l nosuch
add l ni
del l nosuch
del l np
test l ni
test l np
test l nosuch
add l2 bi
add l2 ni before bi
add l2 np after bi
add l2 ipn before nosuch
add l2 ipn after l
add l2 ipn before bi after np
add l2 ipn timeout 5
test l2 ni before bi
test l2 bi before ni
test l2 np after bi
test l2 np before bi
del l2 ni before np
del l2 ni before bi
destroy bi
rename bi bix
rename l l3
rename nosuch foo
rename ni np
rename ipn a b
rename ipn
swap l3 l2
swap ni np
swap ni nosuch
swap nosuch ni
swap ni ni
swap bi bim
swap bim bp
destroy
destroy nosuch
destroy l3
destroy l2
flush nosuch
flush bi extra
flush ipi
save
flush
destroy
save
list nosuch
save nosuch
list
create a hash:ip forceadd
create b hash:net forceadd timeout 50 counters comment skbinfo
create bm bitmap:ip range 1.0.0.0/24 forceadd
create bm bitmap:ip range 1.0.0.0/24 hashsize 5
create bm bitmap:ip range 1.0.0.0/24 range 1.0.1.0/24
create bm bitmap:ip range 1.0.0.0/24 family inet6
create bm2 bitmap:ip range 1.0.0.0/24 family inet
create bm3 bitmap:ip range 1.0.0.0/24 netmask 0
create bm3 bitmap:ip range 1.0.0.0/24 netmask 16
create bm4 bitmap:ip range 1.0.0.0/24 netmask 32
create bm5 bitmap:ip range 1.0.0.0/24 netmask 24
create bm6 bitmap:ip range 1.0.0.7/32
create bm7 bitmap:ip range 1.0.0.5-1.0.0.17 netmask 30
create bm8 bitmap:ip range 0.0.0.0/0 netmask 16
create bm9 bitmap:ip range 0.0.0.0/0 netmask 15
create bm10 bitmap:ip range 0.0.0.0/0
create bm11 bitmap:ip from 1.0.0.0 to 1.0.0.5
create bm12 bitmap:ip network 1.0.0.0/24
create bp bitmap:port from 1 to 5
create ls list:set timeout 50 counters comment skbinfo
create ls2 list:set family inet
create ni hash:net,iface family inet6
add ni ::/0,eth0
add ni fe80::/10,eth0 wildcard nomatch
add ni fe80::/10,et nomatch wildcard
add ni 2001::/16,physdev:et nomatch wildcard
save
create aa hash:ip netmask 24 bitmask 255.255.0.0
create bb hash:ip bitmask 255.0.255.0
create bb2 hash:ip bitmask 24
create bb3 hash:ip bitmask foo
create bb4 hash:ip bitmask 0.0.0.0
create bb5 hash:ip family inet6 bitmask ffff::ffff
create bb6 hash:ip,port bitmask 255.255.255.0
create bb7 hash:ip,port netmask 24
create bb8 hash:net netmask 24
create bb9 hash:ip,port,ip netmask 24
add bb7 1.2.3.4,80
add bb 1.2.3.4
add bb5 1:2::3
save bb
save bb2
save bb5
save bb6
save bb7
create -! a hash:ip
create -! a hash:ip maxelem 5
create -! a hash:ip timeout 5
create -! a hash:ip hashsize 64
create -! a hash:ip hashsize 1024
create -! a hash:ip forceadd
create -! a hash:ip family inet6
create -! a hash:ip counters
create -! a hash:ip bucketsize 4
create -! b hash:net forceadd timeout 50 counters comment skbinfo
create -! b hash:net
create -! ls list:set
create -! bm6 bitmap:ip range 1.0.0.7/32
create -! bm6 bitmap:ip range 1.0.0.8/32
add ls a
add ls b before a
add ls bb before b timeout 7 comment x
add ls bb7 after a
add -! ls b after bb7
add -! ls b
add -! ls a after bb
save ls
list ls
test ls a after bb
test ls a before bb
test ls a after b
list a
save a
del ls a before b
del ls a after bb
del ls a
create lz list:set size 2
add lz a
add lz b
add lz bb
add lz bb before a
save lz
add lz a,b
add lz ''
add a ''
rename a lz
rename a a
rename bm bm
rename bm2 bm4
rename bm2 01234567890123456789012345678901
swap bm2 01234567890123456789012345678901
destroy 01234567890123456789012345678901
add 01234567890123456789012345678901 1.1.1.1
create -! x
test a
test
del
del a
swap
rename
swap a
destroy a a
`)
