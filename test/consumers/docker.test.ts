// Docker: every rule is looked for before it is made; `--wait` comes first, and errors of -C and -D steer what it does next.

import { plays } from './player.ts'

plays(
  'Docker: bridge network, published port, container removed',
  `
iptables --version
iptables --wait -L -n
iptables --wait -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables --wait -t nat -D OUTPUT -m addrtype --dst-type LOCAL ! --dst 127.0.0.0/8 -j DOCKER
iptables --wait -t nat -D OUTPUT -m addrtype --dst-type LOCAL -j DOCKER
iptables --wait -t nat -F DOCKER
iptables --wait -t nat -X DOCKER
iptables --wait -t filter -F DOCKER
iptables --wait -t filter -X DOCKER-ISOLATION-STAGE-1
iptables --wait -t nat -n -L DOCKER
iptables --wait -t nat -N DOCKER
iptables --wait -t filter -n -L DOCKER
iptables --wait -t filter -N DOCKER
iptables --wait -t filter -N DOCKER-ISOLATION-STAGE-1
iptables --wait -t filter -N DOCKER-ISOLATION-STAGE-2
iptables --wait -t filter -C DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables --wait -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables --wait -t filter -C DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables --wait -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables --wait -t nat -C POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
iptables --wait -t nat -I POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
iptables --wait -t nat -C DOCKER -i docker0 -j RETURN
iptables --wait -t nat -I DOCKER -i docker0 -j RETURN
iptables --wait -D FORWARD -i docker0 -o docker0 -j DROP
iptables --wait -t filter -C FORWARD -i docker0 -o docker0 -j ACCEPT
iptables --wait -I FORWARD -i docker0 -o docker0 -j ACCEPT
iptables --wait -t filter -C FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables --wait -I FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables --wait -t nat -C PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables --wait -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables --wait -t nat -C OUTPUT -m addrtype --dst-type LOCAL -j DOCKER ! --dst 127.0.0.0/8
iptables --wait -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER ! --dst 127.0.0.0/8
iptables --wait -t filter -C FORWARD -o docker0 -j DOCKER
iptables --wait -I FORWARD -o docker0 -j DOCKER
iptables --wait -t filter -C FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables --wait -I FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables --wait -t filter -C FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables --wait -I FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables --wait -I DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
iptables --wait -I DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
iptables --wait -t filter -n -L DOCKER-USER
iptables --wait -t filter -N DOCKER-USER
iptables --wait -t filter -C DOCKER-USER -j RETURN
iptables --wait -A DOCKER-USER -j RETURN
iptables --wait -I FORWARD -j DOCKER-USER
iptables --wait -P FORWARD DROP
# A container with a published port.
iptables --wait -t nat -A DOCKER -p tcp -d 0/0 --dport 8080 -j DNAT --to-destination 172.17.0.2:80 ! -i docker0
iptables --wait -t filter -A DOCKER ! -i docker0 -o docker0 -p tcp -d 172.17.0.2 --dport 80 -j ACCEPT
iptables --wait -t nat -A POSTROUTING -p tcp -s 172.17.0.2 -d 172.17.0.2 --dport 80 -j MASQUERADE
iptables --wait -t raw -A PREROUTING -p tcp -d 172.17.0.2 --dport 80 ! -i docker0 -j DROP
iptables --wait -t raw -A PREROUTING -p tcp -d 127.0.0.1 --dport 8080 ! -i lo -j DROP
iptables --wait -t nat -nvL DOCKER
iptables --wait -t nat -L DOCKER -n --line-numbers
iptables --wait -nvxL
iptables --wait -S DOCKER-ISOLATION-STAGE-1
iptables -t nat -S
# It goes.
iptables --wait -t nat -D DOCKER -p tcp -d 0/0 --dport 8080 -j DNAT --to-destination 172.17.0.2:80 ! -i docker0
iptables --wait -t filter -D DOCKER ! -i docker0 -o docker0 -p tcp -d 172.17.0.2 --dport 80 -j ACCEPT
iptables --wait -t filter -D DOCKER ! -i docker0 -o docker0 -p tcp -d 172.17.0.2 --dport 80 -j ACCEPT
iptables --wait -t nat -D POSTROUTING -p tcp -s 172.17.0.2 -d 172.17.0.2 --dport 80 -j MASQUERADE
iptables --wait -X DOCKER
iptables --wait -t nat -N DOCKER
ip6tables --wait -t filter -n -L DOCKER
ip6tables --wait -t filter -N DOCKER
ip6tables --wait -t nat -A POSTROUTING -s fd00:dead:beef::/48 ! -o docker0 -j MASQUERADE
`,
)
