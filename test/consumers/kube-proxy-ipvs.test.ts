// kube-proxy in ipvs mode: sets of services, created with -exist, read as lists, changed member by member; rules that name them.

import { plays } from './player.ts'

plays(
  'kube-proxy, ipvs mode: sets and the rules that name them',
  `
ipset --version
ipset create KUBE-LOOP-BACK hash:ip,port,ip family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-EXTERNAL-IP hash:ip,port family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-LOAD-BALANCER hash:ip,port family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-LOAD-BALANCER-FW hash:ip,port family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-LOAD-BALANCER-SOURCE-IP hash:ip,port,ip family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-LOAD-BALANCER-SOURCE-CIDR hash:ip,port,net family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-NODE-PORT-TCP bitmap:port range 0-65535 -exist
ipset create KUBE-NODE-PORT-UDP bitmap:port range 0-65535 -exist
ipset create KUBE-IPVS-IPS hash:ip family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536 -exist
ipset create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536
ipset create KUBE-CLUSTER-IP hash:ip family inet -exist
ipset list -n
ipset list KUBE-CLUSTER-IP
ipset add KUBE-CLUSTER-IP 10.96.0.1,tcp:443 -exist
ipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:53 -exist
ipset add KUBE-CLUSTER-IP 10.96.0.10,udp:53 -exist
ipset add KUBE-CLUSTER-IP 10.96.0.10,udp:53 -exist
ipset add KUBE-CLUSTER-IP 10.96.0.10,udp:53
ipset add KUBE-LOOP-BACK 10.244.0.2,tcp:53,10.244.0.2 -exist
ipset add KUBE-LOOP-BACK 10.244.0.2,udp:53,10.244.0.2 -exist
ipset add KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,tcp:80,10.0.0.0/8 -exist
ipset add KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,tcp:80,10.0.0.0/33
ipset add KUBE-NODE-PORT-TCP 30053 -exist
ipset add KUBE-NODE-PORT-TCP 70000 -exist
ipset test KUBE-CLUSTER-IP 10.96.0.1,tcp:443
ipset test KUBE-CLUSTER-IP 10.96.0.2,tcp:443
ipset list KUBE-CLUSTER-IP
ipset list KUBE-NODE-PORT-TCP
iptables-restore -w 5 --noflush --counters <<<
  *nat
  :KUBE-SERVICES - [0:0]
  :KUBE-POSTROUTING - [0:0]
  :KUBE-NODE-PORT - [0:0]
  :KUBE-MARK-MASQ - [0:0]
  -A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN
  -A KUBE-SERVICES -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ
  -A KUBE-SERVICES ! -s 10.244.0.0/16 -m comment --comment "cluster ip" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
  -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
  -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
  -A KUBE-POSTROUTING -m comment --comment "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose" -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE
  -A KUBE-NODE-PORT -p tcp -m comment --comment "Kubernetes nodeport TCP port for masquerade purpose" -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ
  -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
  COMMIT
  *filter
  :KUBE-IPVS-FILTER - [0:0]
  -A KUBE-IPVS-FILTER -m set --match-set KUBE-LOAD-BALANCER dst,dst -j RETURN
  -A KUBE-IPVS-FILTER -m set --match-set KUBE-IPVS-IPS dst -j RETURN
  -A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT
  COMMIT
<<<
iptables-restore -w 5 --noflush --counters <<<
  *filter
  -A KUBE-IPVS-FILTER -m set --match-set KUBE-NOT-THERE dst -j RETURN
  COMMIT
<<<
iptables -w 5 -C KUBE-IPVS-FILTER -m set --match-set KUBE-NOT-THERE dst -j RETURN
ipset list KUBE-CLUSTER-IP
ipset del KUBE-CLUSTER-IP 10.96.0.10,udp:53
ipset del KUBE-CLUSTER-IP 10.96.0.10,udp:53
ipset del KUBE-CLUSTER-IP 10.96.0.10,udp:53 -exist
ipset flush KUBE-LOOP-BACK
ipset destroy KUBE-LOOP-BACK
ipset destroy KUBE-EXTERNAL-IP
ipset destroy KUBE-EXTERNAL-IP
ipset list KUBE-EXTERNAL-IP
iptables -w 5 -F KUBE-POSTROUTING -t nat
ipset destroy KUBE-LOOP-BACK
`,
)
