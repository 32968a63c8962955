// `conntrack -h`. VERSION stands for conntrack-tools' own, whose words and output these are.

export const HELP = `conntrack as of conntrack-tools VERSION, talking to tunfilter
Usage: conntrack COMMAND [TABLE] [OPTIONS]

Commands:
  -L, --dump       list flows              -G, --get      show one flow
  -D, --delete     delete flows            -F, --flush    delete all of them
  -I, --create     make a flow             -A, --add      the same, unless it is there
  -U, --update     change flows            -E, --event    show what happens to flows
  -C, --count      how many there are      -S, --stats    statistics
  -R, --load-file  do the commands of a file, as -o save prints them

Tables: conntrack, expect, dying, unconfirmed

Which flows:
  -s, --src, --orig-src ADDRESS[/LENGTH]   -d, --dst, --orig-dst ADDRESS[/LENGTH]
  -r, --reply-src ADDRESS                  -q, --reply-dst ADDRESS
  -p, --protonum PROTOCOL                  -f, --family ipv4|ipv6
  --mask-src ADDRESS                       --mask-dst ADDRESS
  -m, --mark MARK[/MASK]                   -u, --status ASSURED|SEEN_REPLY|FIXED_TIMEOUT|EXPECTED|UNSET[,...]
  -n, --src-nat [ADDRESS][:PORT]           -g, --dst-nat [ADDRESS][:PORT]
  -j, --any-nat [ADDRESS][:PORT]           -l, --label LABEL[,...]
  -w, --zone ZONE                          --orig-zone ZONE, --reply-zone ZONE
  -i, --id ID

Of protocols, behind -p:
  tcp, udp, udplite, sctp, dccp   --sport, --dport, --reply-port-src, --reply-port-dst PORT
  tcp, sctp                       --state STATE
  sctp                            --orig-vtag, --reply-vtag TAG
  icmp                            --icmp-type, --icmp-code, --icmp-id NUMBER
  gre                             --srckey, --dstkey, --reply-key-src, --reply-key-dst KEY

Of expectations (-L, -G, -D, -F, -C, -S, -E; -I makes one of the flow that -s, -d and the ports name):
  --tuple-src, --tuple-dst ADDRESS         --tuple-port-src, --tuple-port-dst PORT
  --mask-src, --mask-dst ADDRESS           --mask-port-src, --mask-port-dst PORT

What becomes of them (-I, -A, -U):
  -t, --timeout SECONDS   -m, --mark MARK[/MASK]   -u, --status STATUS
  --label-add LABEL       --label-del [LABEL]

Output:
  -o, --output extended|id|timestamp|ktimestamp|labels|xml|save|userspace[,...]
  -e, --event-mask ALL|NEW|UPDATES|DESTROY[,...]
  -z, --zero              zero counters that are listed
  -b, --buffer-size SIZE  accepted
`
