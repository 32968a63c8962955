// Calico (Felix): reads what is there with iptables-save, recognizes its rules by hashes in their comments, and writes with
// iptables-restore --noflush --verbose; sets are written aside and swapped.

import { plays } from './player.ts'

const RESTORE = 'iptables-legacy-restore --noflush --verbose --wait 10'

plays(
  'Calico: dataplane programmed, a policy changed, sets swapped',
  `
iptables --version
iptables-legacy --version
iptables-legacy-save -t raw
iptables-legacy-save -t mangle
iptables-legacy-save -t nat
iptables-legacy-save -t filter
ipset list -name
ipset restore <<<
  create cali40all-ipam-pools hash:net family inet maxelem 1048576
  create cali40masq-ipam-pools hash:net family inet maxelem 1048576
  create cali40this-host hash:ip family inet maxelem 1048576
  create cali4t0 hash:net family inet maxelem 1048576
  add cali4t0 192.168.0.0/16
  add cali4t0 10.244.0.0/16
  swap cali40all-ipam-pools cali4t0
  destroy cali4t0
  add cali40masq-ipam-pools 192.168.0.0/16
  add cali40this-host 127.0.0.1
  add cali40this-host 10.0.0.5
  COMMIT
<<<
ipset list
${RESTORE} <<<
  *raw
  :cali-PREROUTING - -
  :cali-rpf-skip - -
  :cali-from-host-endpoint - -
  :cali-wireguard-incoming-mark - -
  -A cali-PREROUTING -m comment --comment "cali:XFX5xbM8B9qR10JG" --jump MARK --set-mark 0/0xf0000
  -A cali-PREROUTING -m comment --comment "cali:EWMPb0zVROM-woQp" --in-interface cali+ --jump MARK --set-mark 0x40000/0x40000
  -A cali-PREROUTING -m comment --comment "cali:PWuxTAIaFCtsg5Qa" -m mark --mark 0x40000/0x40000 --jump cali-rpf-skip
  -A cali-PREROUTING -m comment --comment "cali:fSSbGND7dgyemWU7" -m mark --mark 0x40000/0x40000 -m rpfilter --validmark --invert --jump DROP
  -A cali-PREROUTING -m comment --comment "cali:ImU0-4Rl2WoOI9Ou" -m mark --mark 0/0x40000 --jump cali-from-host-endpoint
  -A cali-PREROUTING -m comment --comment "cali:lV4V2MPoMBf0hl9T" -m mark --mark 0x10000/0x10000 --jump ACCEPT
  -I PREROUTING 1 -m comment --comment "cali:6gwbT8clXdHdC1b1" --jump cali-PREROUTING
  COMMIT
<<<
${RESTORE} <<<
  *filter
  :cali-FORWARD - -
  :cali-INPUT - -
  :cali-from-wl-dispatch - -
  :cali-to-wl-dispatch - -
  :cali-from-wl-dispatch-1 - -
  :cali-fw-cali1a2b3c4d5e6 - -
  :cali-tw-cali1a2b3c4d5e6 - -
  :cali-pi-_ZWkyX3E7OBPxj2dcEF5 - -
  -A cali-FORWARD -m comment --comment "cali:vjrMJCRpqwy5oRoX" --jump MARK --set-mark 0/0xe0000
  -A cali-FORWARD -m comment --comment "cali:A_sPAO0mcxbT9mOV" -m mark --mark 0/0x10000 --jump cali-from-wl-dispatch
  -A cali-FORWARD -m comment --comment "cali:MH9kMp5aNICL-Olv" -m comment --comment "Policy explicitly accepted packet." -m mark --mark 0x10000/0x10000 --jump ACCEPT
  -A cali-from-wl-dispatch -m comment --comment "cali:zTj6P0TIgYvgz-md" --in-interface cali1+ --goto cali-from-wl-dispatch-1
  -A cali-from-wl-dispatch -m comment --comment "cali:zTj6P0TIgYvgz-me" -m comment --comment "Unknown interface" --jump DROP
  -A cali-from-wl-dispatch-1 -m comment --comment "cali:jP4tK2jqyzKJ1KJ1" --in-interface cali1a2b3c4d5e6 --goto cali-fw-cali1a2b3c4d5e6
  -A cali-to-wl-dispatch -m comment --comment "cali:7Vr9pJ5tXHJBYZ8f" --out-interface cali1a2b3c4d5e6 --goto cali-tw-cali1a2b3c4d5e6
  -A cali-fw-cali1a2b3c4d5e6 -m comment --comment "cali:Zt2c2mhpMRSsVO4x" -m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT
  -A cali-fw-cali1a2b3c4d5e6 -m comment --comment "cali:W7oCnGhEsYzvSjf5" -m conntrack --ctstate INVALID --jump DROP
  -A cali-fw-cali1a2b3c4d5e6 -m comment --comment "cali:3TtpVZzBvr0Kr5gy" --jump MARK --set-mark 0/0x10000
  -A cali-fw-cali1a2b3c4d5e6 -p udp -m comment --comment "cali:TEVnWRnJ4ikgiOJu" -m comment --comment "Drop VXLAN encapped packets originating in workloads" -m multiport --destination-ports 4789 --jump DROP
  -A cali-fw-cali1a2b3c4d5e6 -p 4 -m comment --comment "cali:9EOpz9bh96Lxzu1v" -m comment --comment "Drop IPinIP encapped packets originating in workloads" --jump DROP
  -A cali-pi-_ZWkyX3E7OBPxj2dcEF5 -m comment --comment "cali:NcHIHx2j4cAZCwRJ" -m comment --comment "Policy default/knp.default.allow ingress" -p tcp -m set --match-set cali40all-ipam-pools src -m multiport --destination-ports 80,443,8000:8100 --jump MARK --set-mark 0x10000/0x10000
  -A cali-pi-_ZWkyX3E7OBPxj2dcEF5 -m comment --comment "cali:PF7lSJmXYsdNnsvA" -m mark --mark 0x10000/0x10000 --jump RETURN
  -A cali-tw-cali1a2b3c4d5e6 -m comment --comment "cali:2Yv9ZeTqVJmpsRrr" -m mark --mark 0/0x20000 --jump cali-pi-_ZWkyX3E7OBPxj2dcEF5
  -A cali-tw-cali1a2b3c4d5e6 -m comment --comment "cali:abcdAAAAAAAAAAAA" -m limit --limit 5/min --jump NFLOG --nflog-group 1 --nflog-prefix "D/no-policy" --nflog-size 80
  -I FORWARD 1 -m comment --comment "cali:wUHhoiAYhphO9Mso" --jump cali-FORWARD
  -I INPUT 1 -m comment --comment "cali:Cz_u1IQiXIMmKD4c" --jump cali-INPUT
  COMMIT
<<<
${RESTORE} <<<
  *nat
  :cali-POSTROUTING - -
  :cali-nat-outgoing - -
  -A cali-nat-outgoing -m comment --comment "cali:flqWnvo8yq4ULQLa" -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst --jump MASQUERADE --random-fully
  -A cali-POSTROUTING -m comment --comment "cali:Z-c7XtVd2Bq7s_hA" --jump cali-nat-outgoing
  -I POSTROUTING 1 -m comment --comment "cali:O3lYWMrLQYEMJtB5" --jump cali-POSTROUTING
  COMMIT
<<<
iptables-legacy-save -t filter
# A rule is replaced in its place, a chain deleted once nothing jumps to it.
${RESTORE} <<<
  *filter
  :cali-from-wl-dispatch-1 - -
  -R cali-FORWARD 2 -m comment --comment "cali:BBBBBBBBBBBBBBBB" -m mark --mark 0/0x10000 --jump DROP
  -D cali-tw-cali1a2b3c4d5e6 2
  -X cali-from-wl-dispatch-1
  COMMIT
<<<
${RESTORE} <<<
  *filter
  -D cali-from-wl-dispatch 1
  -F cali-from-wl-dispatch-1
  -X cali-from-wl-dispatch-1
  COMMIT
<<<
iptables-legacy-save -t filter
iptables-legacy-restore --noflush --verbose <<<
  *filter
  -A cali-FORWARD -m nonsense --jump DROP
  COMMIT
<<<
ipset destroy cali40all-ipam-pools
ipset restore <<<
  create cali4t1 hash:net family inet maxelem 1048576
  add cali4t1 10.9.0.0/16
  add cali4t1 10.9.0.0/16
  swap cali40all-ipam-pools cali4t1
<<<
ipset list cali40all-ipam-pools
ipset destroy cali4t1
`,
)
