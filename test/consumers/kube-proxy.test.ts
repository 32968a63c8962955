// kube-proxy in iptables mode: chains and jumps are made sure of one by one, everything else comes by iptables-restore --noflush
// --counters, first whole, then what has changed; chains of endpoints that are gone are deleted in the same restore.

import { plays } from './player.ts'

const W = '-w 5'

plays(
  'kube-proxy, iptables mode: start, sync, partial sync, cleanup',
  `
iptables --version
iptables-restore --version
iptables ${W} -N KUBE-PROXY-CANARY -t mangle
iptables ${W} -N KUBE-PROXY-CANARY -t mangle
iptables ${W} -S KUBE-PROXY-CANARY -t mangle
iptables ${W} -S KUBE-KUBELET-CANARY -t mangle
iptables ${W} -N KUBE-EXTERNAL-SERVICES -t filter
iptables ${W} -N KUBE-NODEPORTS -t filter
iptables ${W} -N KUBE-SERVICES -t filter
iptables ${W} -N KUBE-FORWARD -t filter
iptables ${W} -N KUBE-PROXY-FIREWALL -t filter
iptables ${W} -N KUBE-SERVICES -t nat
iptables ${W} -N KUBE-POSTROUTING -t nat
iptables ${W} -C INPUT -t filter -m conntrack --ctstate NEW -m comment --comment 'kubernetes load balancer firewall' -j KUBE-PROXY-FIREWALL
iptables ${W} -I INPUT -t filter -m conntrack --ctstate NEW -m comment --comment 'kubernetes load balancer firewall' -j KUBE-PROXY-FIREWALL
iptables ${W} -C INPUT -t filter -m conntrack --ctstate NEW -m comment --comment 'kubernetes load balancer firewall' -j KUBE-PROXY-FIREWALL
iptables ${W} -I INPUT -t filter -m conntrack --ctstate NEW -m comment --comment 'kubernetes externally-visible service portals' -j KUBE-EXTERNAL-SERVICES
iptables ${W} -I FORWARD -t filter -m comment --comment 'kubernetes forwarding rules' -j KUBE-FORWARD
iptables ${W} -I OUTPUT -t nat -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
iptables ${W} -I PREROUTING -t nat -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
iptables ${W} -I POSTROUTING -t nat -m comment --comment 'kubernetes postrouting rules' -j KUBE-POSTROUTING
iptables-save -t nat
iptables-restore ${W} --noflush --counters <<<
  *filter
  :KUBE-SERVICES - [0:0]
  :KUBE-EXTERNAL-SERVICES - [0:0]
  :KUBE-FORWARD - [0:0]
  :KUBE-NODEPORTS - [0:0]
  :KUBE-PROXY-FIREWALL - [0:0]
  -A KUBE-NODEPORTS -m comment --comment "default/lb health check node port" -m tcp -p tcp --dport 30111 -j ACCEPT
  -A KUBE-SERVICES -m comment --comment "default/empty:http has no endpoints" -m tcp -p tcp -d 10.96.12.7 --dport 80 -j REJECT
  -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
  -A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
  -A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  COMMIT
  *nat
  :KUBE-SERVICES - [0:0]
  :KUBE-NODEPORTS - [0:0]
  :KUBE-POSTROUTING - [0:0]
  :KUBE-MARK-MASQ - [0:0]
  :KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
  :KUBE-SVC-ERIFXISQEP7F7OF4 - [0:0]
  :KUBE-EXT-ERIFXISQEP7F7OF4 - [0:0]
  :KUBE-SEP-HQPKBMZ6VPPSI6JF - [0:0]
  :KUBE-SEP-JWQ7B2JDKOYDXTVK - [0:0]
  :KUBE-SEP-Q3UFUVK5A2R2PYBX - [0:0]
  -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
  -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
  -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
  -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
  -A KUBE-NODEPORTS -m comment --comment "kube-system/dns:dns-tcp" -m tcp -p tcp --dport 30053 -j KUBE-EXT-ERIFXISQEP7F7OF4
  -A KUBE-SERVICES -m comment --comment "default/kubernetes:https cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
  -A KUBE-SVC-NPX46M4PTMTKRN6Y -m comment --comment "default/kubernetes:https cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 443 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ
  -A KUBE-SVC-NPX46M4PTMTKRN6Y -m comment --comment "default/kubernetes:https -> 192.168.1.10:6443" -m recent --name KUBE-SEP-HQPKBMZ6VPPSI6JF --rcheck --seconds 10800 --reap -j KUBE-SEP-HQPKBMZ6VPPSI6JF
  -A KUBE-SVC-NPX46M4PTMTKRN6Y -m comment --comment "default/kubernetes:https -> 192.168.1.10:6443" -j KUBE-SEP-HQPKBMZ6VPPSI6JF
  -A KUBE-SEP-HQPKBMZ6VPPSI6JF -m comment --comment default/kubernetes:https -s 192.168.1.10 -j KUBE-MARK-MASQ
  -A KUBE-SEP-HQPKBMZ6VPPSI6JF -m comment --comment default/kubernetes:https -m recent --name KUBE-SEP-HQPKBMZ6VPPSI6JF --set -m tcp -p tcp -j DNAT --to-destination 192.168.1.10:6443
  -A KUBE-SERVICES -m comment --comment "kube-system/dns:dns-tcp cluster IP" -m tcp -p tcp -d 10.96.0.10 --dport 53 -j KUBE-SVC-ERIFXISQEP7F7OF4
  -A KUBE-SVC-ERIFXISQEP7F7OF4 -m comment --comment "kube-system/dns:dns-tcp -> 10.244.0.2:53" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-JWQ7B2JDKOYDXTVK
  -A KUBE-SVC-ERIFXISQEP7F7OF4 -m comment --comment "kube-system/dns:dns-tcp -> 10.244.0.3:53" -j KUBE-SEP-Q3UFUVK5A2R2PYBX
  -A KUBE-EXT-ERIFXISQEP7F7OF4 -m comment --comment "pod traffic for kube-system/dns:dns-tcp external destinations" -s 10.244.0.0/16 -j KUBE-SVC-ERIFXISQEP7F7OF4
  -A KUBE-EXT-ERIFXISQEP7F7OF4 -m comment --comment "masquerade LOCAL traffic for kube-system/dns:dns-tcp external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
  -A KUBE-EXT-ERIFXISQEP7F7OF4 -m comment --comment "route LOCAL traffic for kube-system/dns:dns-tcp external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-ERIFXISQEP7F7OF4
  -A KUBE-SEP-JWQ7B2JDKOYDXTVK -m comment --comment kube-system/dns:dns-tcp -s 10.244.0.2 -j KUBE-MARK-MASQ
  -A KUBE-SEP-JWQ7B2JDKOYDXTVK -m comment --comment kube-system/dns:dns-tcp -m tcp -p tcp -j DNAT --to-destination 10.244.0.2:53
  -A KUBE-SEP-Q3UFUVK5A2R2PYBX -m comment --comment kube-system/dns:dns-tcp -s 10.244.0.3 -j KUBE-MARK-MASQ
  -A KUBE-SEP-Q3UFUVK5A2R2PYBX -m comment --comment kube-system/dns:dns-tcp -m tcp -p tcp -j DNAT --to-destination 10.244.0.3:53
  -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
  COMMIT
<<<
iptables-save -c -t nat
# One endpoint is gone.
iptables-restore ${W} --noflush --counters <<<
  *nat
  :KUBE-SVC-ERIFXISQEP7F7OF4 - [0:0]
  :KUBE-SEP-JWQ7B2JDKOYDXTVK - [0:0]
  -A KUBE-SVC-ERIFXISQEP7F7OF4 -m comment --comment "kube-system/dns:dns-tcp -> 10.244.0.3:53" -j KUBE-SEP-Q3UFUVK5A2R2PYBX
  -X KUBE-SEP-JWQ7B2JDKOYDXTVK
  COMMIT
<<<
iptables-save -t nat
# A restore that names a chain that is not there changes nothing.
iptables-restore ${W} --noflush --counters <<<
  *nat
  -A KUBE-POSTROUTING -j ACCEPT
  -X KUBE-SEP-NOT-THERE
  COMMIT
<<<
iptables ${W} -S KUBE-POSTROUTING -t nat
ip6tables ${W} -N KUBE-PROXY-CANARY -t mangle
ip6tables-restore ${W} --noflush --counters <<<
  *filter
  :KUBE-FORWARD - [0:0]
  -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
  COMMIT
  *nat
  :KUBE-POSTROUTING - [0:0]
  :KUBE-SERVICES - [0:0]
  :KUBE-SEP-V6 - [0:0]
  -A KUBE-SEP-V6 -m comment --comment v6 -m tcp -p tcp -j DNAT --to-destination [fd00::2]:53
  -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
  COMMIT
<<<
# Cleanup.
iptables ${W} -D OUTPUT -t nat -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
iptables ${W} -D OUTPUT -t nat -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
iptables ${W} -D PREROUTING -t nat -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
iptables ${W} -X KUBE-SERVICES -t nat
iptables ${W} -F KUBE-SERVICES -t nat
iptables ${W} -X KUBE-SERVICES -t nat
iptables ${W} -F KUBE-PROXY-CANARY -t mangle
iptables ${W} -X KUBE-PROXY-CANARY -t mangle
iptables ${W} -F KUBE-NOT-THERE -t mangle
`,
)
