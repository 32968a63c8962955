// Names of protocols and services. Protocols are printed by the names that iptables 1.8.9 prints on Debian 12, whatever
// /etc/protocols says here, so that a saved rule set does not depend on the machine; they are read by these names, by
// their aliases, and by what /etc/protocols adds. Services come from /etc/services; where that file is missing (netbase is
// not part of a minimal container) from a table of the common ones. The files are read once, when a name is first met.

import { readFileSync } from 'node:fs'

/** number:name, as 1.8.9 saves them. */
const PROTOCOLS = `1:icmp 2:igmp 3:ggp 4:ipencap 5:st 6:tcp 8:egp 9:igp 12:pup 17:udp 20:hmp 22:xns-idp 27:rdp
29:iso-tp4 33:dccp 36:xtp 37:ddp 38:idpr-cmtp 41:ipv6 43:ipv6-route 44:ipv6-frag 45:idrp 46:rsvp 47:gre 50:esp 51:ah
57:skip 58:ipv6-icmp 59:ipv6-nonxt 60:ipv6-opts 73:rspf 81:vmtp 88:eigrp 89:ospf 93:ax.25 94:ipip 97:etherip 98:encap
103:pim 108:ipcomp 112:vrrp 115:l2tp 124:isis 132:sctp 133:fc 135:mobility-header 136:udplite 137:mpls-in-ip 138:manet
139:hip 140:shim6 141:wesp 142:rohc 143:ethernet`

/** Further names that are read. */
const PROTOCOL_ALIASES = '0:all 0:ip 0:hopopt 4:ip-encap 58:icmpv6 135:mh 135:ipv6-mh 51:ipsec-ah 50:ipsec-esp'

/** port/protocols:names */
const SERVICES = `7/tu:echo 9/tu:discard,sink,null 11/t:systat,users 13/tu:daytime 17/t:qotd,quote
19/tu:chargen,ttytst,source 20/t:ftp-data 21/t:ftp 22/t:ssh 23/t:telnet 25/t:smtp,mail 37/tu:time,timserver
43/t:whois,nicname 49/tu:tacacs 53/tu:domain 67/u:bootps 68/u:bootpc 69/u:tftp 70/t:gopher 79/t:finger
80/t:http,www 88/tu:kerberos,kerberos5,krb5,kerberos-sec 110/t:pop3,pop-3 111/tu:sunrpc,portmapper 113/t:auth,ident
119/t:nntp,readnews,untp 123/u:ntp 135/t:epmap,loc-srv 137/u:netbios-ns 138/u:netbios-dgm 139/t:netbios-ssn
143/t:imap2,imap 161/tu:snmp 162/tu:snmp-trap,snmptrap 177/u:xdmcp 179/t:bgp 194/tu:irc 389/tu:ldap 427/tu:svrloc
443/tu:https 445/t:microsoft-ds 464/tu:kpasswd 465/t:submissions,ssmtp,smtps,urd 500/u:isakmp 514/t:shell,cmd,syslog
514/u:syslog 515/t:printer,spooler 520/u:route,router,routed 546/u:dhcpv6-client 547/u:dhcpv6-server
548/t:afpovertcp 554/tu:rtsp 563/t:nntps,snntp 587/t:submission 623/u:asf-rmcp 631/tu:ipp 636/tu:ldaps
853/tu:domain-s 873/t:rsync 989/t:ftps-data 990/t:ftps 992/t:telnets 993/t:imaps 995/t:pop3s 1080/t:socks
1194/tu:openvpn 1433/t:ms-sql-s 1434/u:ms-sql-m 1701/u:l2f,l2tp 1812/u:radius 1813/u:radius-acct,radacct 2049/tu:nfs
3128/t:squid 3306/t:mysql 3389/t:ms-wbt-server 3690/t:svn,subversion 4500/u:ipsec-nat-t 4569/u:iax 5060/tu:sip
5061/tu:sip-tls 5222/t:xmpp-client,jabber-client 5269/t:xmpp-server,jabber-server 5353/u:mdns 5432/t:postgresql,postgres
5672/t:amqp 6000/t:x11,x11-0 6379/t:redis 6667/t:ircd 8080/t:http-alt,webcache 9418/t:git 10050/t:zabbix-agent
11371/t:hkp`

let protocolNumbers: ReadonlyMap<string, number> | undefined
const protocolNames = new Map<number, string>()
for (const [number, name] of pairs(PROTOCOLS)) protocolNames.set(number, name)

/** The protocol's number by its name in any case, or undefined. "all" is 0. */
export function protocolNumber(name: string): number | undefined {
  protocolNumbers ??= readProtocols()
  return protocolNumbers.get(name.toLowerCase())
}

/** The same by its name as /etc/protocols, or iptables, writes it. */
export function exactProtocolNumber(name: string): number | undefined {
  const number = protocolNumber(name)
  return name === name.toLowerCase() || exactNames.has(name) ? number : undefined
}

/** Names of protocols in capitals, as the file has them. */
const exactNames = new Set<string>()

/** The name under which iptables saves this protocol: its number where it has none. */
export function protocolName(number: number): string {
  return protocolNames.get(number) ?? String(number)
}

/** Port by service name, for one protocol, or for whichever has it first when none is given. */
export function servicePort(name: string, protocol?: string): number | undefined {
  services ??= readServices()
  return services.get(protocol === undefined ? name : `${name}/${protocol}`)
}

/** The service's name as a listing shows it, or the port where it has none. */
export function serviceName(port: number, protocol: string): string {
  services ??= readServices()
  if (serviceNamesByPort === undefined) {
    serviceNamesByPort = new Map()
    for (const [name, number] of services) {
      const [service, of] = name.split('/')
      const key = `${number}/${of}`
      if (of !== undefined && !serviceNamesByPort.has(key)) serviceNamesByPort.set(key, service)
    }
  }
  return serviceNamesByPort.get(`${port}/${protocol}`) ?? String(port)
}

let serviceNamesByPort: Map<string, string> | undefined

/** Names for "did you mean". */
export function serviceNames(): string[] {
  services ??= readServices()
  return [...services.keys()].filter((name) => !name.includes('/'))
}

/** By `name/protocol`, and by bare name for the first protocol that has it. */
let services: Map<string, number> | undefined

function readServices(): Map<string, number> {
  const found = new Map<string, number>()
  const add = (name: string, protocol: string, port: number) => {
    if (!found.has(`${name}/${protocol}`)) found.set(`${name}/${protocol}`, port)
    if (!found.has(name)) found.set(name, port)
  }
  for (const words of linesOf('/etc/services')) {
    const at = /^(\d+)\/(\w+)$/.exec(words[1] ?? '')
    if (at === null) continue
    for (const name of [words[0], ...words.slice(2)]) add(name, at[2], Number(at[1]))
  }
  if (found.size > 0) return found
  for (const entry of SERVICES.split(/\s+/)) {
    const [, port, kinds, names] = /^(\d+)\/(\w+):(.+)$/.exec(entry) as unknown as string[]
    for (const kind of kinds) for (const name of names.split(',')) add(name, kind === 't' ? 'tcp' : 'udp', Number(port))
  }
  return found
}

function readProtocols(): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const [number, name] of [...pairs(PROTOCOLS), ...pairs(PROTOCOL_ALIASES)]) found.set(name, number)
  for (const [name, number, ...aliases] of linesOf('/etc/protocols')) {
    if (number === undefined || !/^\d{1,3}$/.test(number) || Number(number) > 255) continue
    for (const each of [name, ...aliases]) {
      exactNames.add(each)
      const lower = each.toLowerCase()
      if (!found.has(lower)) found.set(lower, Number(number))
    }
  }
  return found
}

function pairs(table: string): [number, string][] {
  return table.split(/\s+/).map((entry) => {
    const [number, name] = entry.split(':')
    return [Number(number), name]
  })
}

/** The words of each line, comments taken away; nothing where the file cannot be read. */
function linesOf(path: string): string[][] {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch {
    return []
  }
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/))
}
