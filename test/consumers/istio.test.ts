// Istio (istio-iptables): cleans up what may be there, each deletion on its own and allowed to fail, then restores; traffic of
// its proxy is known by owner, and in TPROXY mode by marks.

import { plays } from './player.ts'

plays(
  'Istio: cleanup, redirect mode, then TPROXY mode',
  `
iptables -t nat -D PREROUTING -p tcp -j ISTIO_INBOUND
iptables -t mangle -D PREROUTING -p tcp -j ISTIO_INBOUND
iptables -t nat -D OUTPUT -p tcp -j ISTIO_OUTPUT
iptables -t nat -F ISTIO_OUTPUT
iptables -t nat -X ISTIO_OUTPUT
iptables-save
iptables-restore --noflush <<<
  * nat
  -N ISTIO_INBOUND
  -N ISTIO_REDIRECT
  -N ISTIO_IN_REDIRECT
  -N ISTIO_OUTPUT
  -A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN
  -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
  -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
  -A PREROUTING -p tcp -j ISTIO_INBOUND
  -A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN
  -A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN
  -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
  -A OUTPUT -p tcp -j ISTIO_OUTPUT
  -A ISTIO_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN
  -A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
  -A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN
  -A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
  -A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT
  -A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN
  -A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
  -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
  -A ISTIO_OUTPUT -j ISTIO_REDIRECT
  COMMIT
<<<
iptables-save -t nat
# DNS capture.
iptables-restore --noflush <<<
  * nat
  -I OUTPUT 1 -p udp --dport 53 -m owner --uid-owner 1337 -j RETURN
  -I OUTPUT 2 -p udp --dport 53 -m owner --gid-owner 1337 -j RETURN
  -A OUTPUT -p udp --dport 53 -d 10.96.0.10/32 -j REDIRECT --to-port 15053
  COMMIT
  * raw
  -A OUTPUT -p udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1
  -A OUTPUT -p udp --sport 15053 -m owner --uid-owner 1337 -j CT --zone 2
  -A OUTPUT -p udp --dport 53 -d 10.96.0.10/32 -j CT --zone 2
  -A PREROUTING -p udp --sport 53 -s 10.96.0.10/32 -j CT --zone 1
  COMMIT
<<<
iptables-save -t raw
iptables -t nat -D PREROUTING -p tcp -j ISTIO_INBOUND
iptables -t nat -F ISTIO_INBOUND
iptables -t nat -X ISTIO_INBOUND
iptables-restore --noflush <<<
  * mangle
  -N ISTIO_INBOUND
  -N ISTIO_DIVERT
  -N ISTIO_TPROXY
  -A ISTIO_DIVERT -j MARK --set-mark 1337
  -A ISTIO_DIVERT -j ACCEPT
  -A ISTIO_TPROXY ! -d 127.0.0.1/32 -p tcp -j TPROXY --tproxy-mark 1337/0xffffffff --on-port 15006
  -A PREROUTING -p tcp -j ISTIO_INBOUND
  -A PREROUTING -p tcp -m mark --mark 1337 -j CONNMARK --save-mark
  -A ISTIO_INBOUND -p tcp -m mark --mark 1337 -j RETURN
  -A ISTIO_INBOUND -p tcp -s 127.0.0.6/32 -i lo -j RETURN
  -A ISTIO_INBOUND -p tcp -i lo -m mark ! --mark 1338 -j RETURN
  -A ISTIO_INBOUND -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT
  -A ISTIO_INBOUND -p tcp -j ISTIO_TPROXY
  -A OUTPUT -p tcp -m connmark --mark 1337 -j CONNMARK --restore-mark
  -I OUTPUT 1 -d 127.0.0.1/32 -o lo -p tcp -m mark --mark 1337 -j RETURN
  COMMIT
<<<
iptables-save
ip6tables-restore --noflush <<<
  * nat
  -N ISTIO_OUTPUT
  -A ISTIO_OUTPUT -o lo -s ::6/128 -j RETURN
  -A ISTIO_OUTPUT -o lo ! -d ::1/128 -m owner --uid-owner 1337 -j RETURN
  COMMIT
<<<
ip6tables-save
`,
)
