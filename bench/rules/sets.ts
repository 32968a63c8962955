// Rule sets of every size: a block list whose rules do not match, and kube-proxy's chains.

const NAT = '*nat\n-A POSTROUTING -o wan -j MASQUERADE\nCOMMIT\n'

/** So many rules in FORWARD that ask for an address and a port, none of which the benchmark's packets have; then ACCEPT. */
export function blockList(rules: number): string {
  let text = `${NAT}*filter\n:FORWARD DROP [0:0]\n`
  for (let i = 0; i < rules; i++)
    text += `-A FORWARD -s 172.${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32 -p udp -m udp --dport ${1 + (i % 1000)} -j DROP\n`
  return `${text}-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -i lan -o wan -j ACCEPT\nCOMMIT\n`
}

const letters = (n: number) => (Math.imul(n + 1, 0x9e3779b1) >>> 0).toString(36).toUpperCase().padStart(7, 'A') + n

/** kube-proxy's nat table for so many services of three endpoints each, and a gateway's own MASQUERADE behind it. */
export function kubeProxy(services: number): string {
  const chains: string[] = []
  const portals: string[] = []
  const rules: string[] = []
  const dotted = (net: number, i: number) => `10.${net + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
  for (let i = 0; i < services; i++) {
    const service = `KUBE-SVC-${letters(i)}`
    const about = `-m comment --comment "default/service-${i}:http`
    const cluster = `-d ${dotted(96, i)}/32 -p udp ${about} cluster IP" -m udp --dport 53`
    chains.push(`:${service} - [0:0]`)
    portals.push(`-A KUBE-SERVICES ${cluster} -j ${service}`)
    rules.push(`-A ${service} ! -s 10.244.0.0/16 ${cluster} -j KUBE-MARK-MASQ`)
    for (let e = 0; e < 3; e++) {
      const endpoint = `KUBE-SEP-${letters(services + 3 * i + e)}`
      const pod = dotted(244, 3 * i + e)
      const chance = e < 2 ? `-m statistic --mode random --probability ${(1 / (3 - e)).toFixed(11)} ` : ''
      chains.push(`:${endpoint} - [0:0]`)
      rules.push(
        `-A ${service} ${about} -> ${pod}:53" ${chance}-j ${endpoint}`,
        `-A ${endpoint} -s ${pod}/32 ${about}" -j KUBE-MARK-MASQ`,
        `-A ${endpoint} -p udp ${about}" -m udp -j DNAT --to-destination ${pod}:53`,
      )
    }
  }
  return `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
${chains.join('\n')}
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -o wan -j MASQUERADE
${portals.join('\n')}
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE
${rules.join('\n')}
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i lan -o wan -j ACCEPT
COMMIT
`
}
