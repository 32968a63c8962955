// Command lines that the real ipset is asked about, and answers the same.

/** A line each, words separated by blanks; quotes of both sorts keep blanks in a word. */
function commands(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!))
}

export const COMMANDS: readonly string[][][] = [
  // headers, lists, and what create takes
  commands(`
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
  `),
  // elements, and what is wrong with them
  commands(`
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
  `),
  // types with two and three parts, bitmaps and lists
  commands(`
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
  `),
  // abbreviations, options, and extensions
  commands(`
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
  `),
]

/** Restores that end at an error of a set, or at none: how far the real one gets before an error of form is not defined. */
export const RESTORES: readonly string[] = [
  'create a hash:ip\nadd a 1.2.3.4\nadd a 1.2.3.4\nadd a 1.2.3.5\n',
  'create a hash:ip\n\n# comment\n  add a 1.2.3.4  \n\tadd a 1.2.3.5\n\nCOMMIT\nadd a 1.2.3.6\n',
  'create a hash:ip comment\nadd a 1.2.3.4 comment "x y"\nadd a 1.2.3.5 comment "  z  "\n',
  'create a hash:ip comment\nadd a 1.2.3.4 comment a"b c"d\nadd a 1.2.3.5 comment "a b"c\nadd a 1.2.3.6 comment "a"b"c"\n',
  'create a hash:ip comment\nadd a 1.2.3.4 comment "x y\nadd a 1.2.3.5\n',
  'create a hash:ip comment\nadd a 1.2.3.4 comment ""\n',
  'create a hash:ip comment\nadd a 1.2.3.3\nadd a 1.2.3.4 "\n',
  'create a hash:ip\nadd a 1.2.3.4',
  'create a hash:ip\r\nadd a 1.2.3.4\r\n',
  'foo\n',
  'create a hash:ip\nadd a 1.2.3.4 -exist\nadd a 1.2.3.4 -exist\nadd a 1.2.3.4\nadd a 1.2.3.6\n',
  'create a hash:ip\nlist\nadd a 1.2.3.6\nlist a\nsave\n',
  'create a hash:ip\ntest a 1.2.3.4\nadd a 1.2.3.6\n',
  'create a hash:ip\nadd a 1.2.3.6\ntest a 1.2.3.6\n',
  'create a hash:ip\nrestore\nadd a 1.2.3.6\n',
  'create a hash:ip\nquit\nadd a 1.2.3.6\n',
  'create a hash:ip\nversion\n',
  'create a hash:ip\ncreate b hash:net\nadd a 1.2.3.6\nadd b 1.0.0.0/8\nadd a 1.2.3.7\nswap a b\nflush b\n',
  'create a hash:ip\ncreate b hash:ip\nadd a 1.2.3.6\nswap a b\nrename b c\nadd c 1.2.3.7\ndestroy a\n',
  'create a hash:ip\nadd a 1.2.3.6\ndel a 1.2.3.6\ndel a 1.2.3.6\n',
  'ipset create a hash:ip\n',
  '-N a hash:ip\n-A a 1.2.3.4\n',
  'create a hash:ip\nadd a foo\nadd a 1.2.3.4\n',
  'create a hash:ip\nadd b 1.2.3.4\n',
  'create a hash:ip\nadd a 1.2.3.4 bar\n',
  'create a hash:ip\nadd a\n',
  'create a foo\n',
  'create "a b" hash:ip\nadd "a b" 1.2.3.4\n',
  'create a hash:ip\nadd a 1.2.3.4,80\n',
  '-exist create a hash:ip\ncreate a hash:ip\nadd a 1.2.3.5\n',
  'create a hash:ip   \n   \n \t \nadd   a\t1.2.3.5\n#\n #x\n',
  '',
  'create a list:set\ncreate b hash:ip\nadd a b\n',
  'create a list:set\nadd a b\ncreate b hash:ip\n',
  'create a hash:ip -q\nadd a 1.2.3.4\nadd a 1.2.3.4\n',
  'create a bitmap:port range 1-9\nadd a 1-3\nadd a 2-5\nadd a 8\n',
]
