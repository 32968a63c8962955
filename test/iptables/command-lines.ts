// Command lines of iptables, made at random: commands and options that fit and such that do not, about few chains and few
// rules, so that they meet each other.

import fc from 'fast-check'

const { constantFrom: one, tuple, oneof } = fc

const CHAINS = ['INPUT', 'FORWARD', 'OUTPUT', 'a', 'b', 'c', 'missing']
const NAT_CHAINS = ['PREROUTING', 'POSTROUTING', 'OUTPUT', 'a', 'b', 'c', 'missing']
const RULES = [
  '-j ACCEPT',
  '-s 10.0.0.1 -j DROP',
  '-s 10.0.0.0/8,192.168.0.1 -d 1.2.3.4,5.6.7.8 -j RETURN',
  '-p tcp --dport 80 -j ACCEPT',
  '-p udp -m udp ! --sport 1024:65535 -c 7 8',
  '-p icmp --icmp-type echo-request -m comment --comment word -j ACCEPT',
  '-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT',
  '-p tcp -m multiport --dports 80,443,1000:2000 -m limit --limit 5/min -j LOG --log-prefix p',
  '-m mark ! --mark 0x1/0xff -g a',
  '-i eth0 ! -p 47 -j a',
  '! -s 10.0.0.0/255.0.255.0 -j b',
  '-f -j c',
  '-m addrtype --dst-type LOCAL -j REJECT --reject-with icmp-host-prohibited',
  '-j nosuchtarget',
  '-m nosuchmatch -j ACCEPT',
  '-p tcp --dport nosuchport',
  '--dport 80',
  '-s 10.0.0.1 -s 10.0.0.2',
  '-p tcp -j MASQUERADE',
  '-p udp -m tcp --dport 80',
  '-j INPUT',
]
const NAT_RULES = [
  '-j ACCEPT',
  '-p tcp -j DNAT --to-destination 10.0.0.1:80',
  '-j MASQUERADE',
  '-j a',
  '-s 1.2.3.4 -j b',
]

const number = one('1', '2', '3', '9', '0', 'x')
const lists = one(
  '',
  '-n ',
  '-v ',
  '-nv ',
  '-nvx ',
  '-x --line-numbers ',
  '-n --line-numbers ',
  '-w ',
  '-w 5 ',
  '--wait=1 ',
)
const plain = one('', '', '', '-v ', '-w ', '--wait ')

const about = (chains: readonly string[], rules: readonly string[]) => {
  const chain = one(...chains)
  const rule = one(...rules)
  return oneof(
    { weight: 6, arbitrary: tuple(plain, one('-A', '--append'), chain, rule).map((w) => w.join(' ')) },
    { weight: 3, arbitrary: tuple(one('-I', '--insert'), chain, oneof(one(''), number), rule).map((w) => w.join(' ')) },
    { weight: 2, arbitrary: tuple(one('-R'), chain, number, rule).map((w) => w.join(' ')) },
    { weight: 4, arbitrary: tuple(plain, one('-D', '-C', '--check', '--delete'), chain, rule).map((w) => w.join(' ')) },
    { weight: 2, arbitrary: tuple(one('-D'), chain, number).map((w) => w.join(' ')) },
    { weight: 4, arbitrary: tuple(lists, one('-L', '--list'), oneof(one(''), chain)).map((w) => w.join(' ')) },
    { weight: 1, arbitrary: tuple(lists, one('-L'), chain, number).map((w) => w.join(' ')) },
    { weight: 2, arbitrary: tuple(plain, one('-S', '--list-rules'), oneof(one(''), chain)).map((w) => w.join(' ')) },
    { weight: 1, arbitrary: tuple(plain, one('-S'), chain, number).map((w) => w.join(' ')) },
    { weight: 1, arbitrary: tuple(plain, one('-F', '--flush'), oneof(one(''), chain)).map((w) => w.join(' ')) },
    { weight: 4, arbitrary: tuple(plain, one('-N', '--new-chain'), chain).map((w) => w.join(' ')) },
    { weight: 2, arbitrary: tuple(plain, one('-X', '--delete-chain'), oneof(one(''), chain)).map((w) => w.join(' ')) },
    { weight: 2, arbitrary: tuple(plain, one('-Z'), oneof(one(''), chain)).map((w) => w.join(' ')) },
    { weight: 1, arbitrary: tuple(one('-Z'), chain, number).map((w) => w.join(' ')) },
    { weight: 1, arbitrary: tuple(one('-L', '-S'), chain, one('-Z')).map((w) => w.join(' ')) },
    { weight: 2, arbitrary: tuple(one('-P'), chain, one('ACCEPT', 'DROP', 'RETURN', 'a')).map((w) => w.join(' ')) },
    { weight: 2, arbitrary: tuple(one('-E'), chain, chain).map((w) => w.join(' ')) },
    {
      weight: 1,
      arbitrary: one(
        '-L -S',
        '-n -S',
        '-A',
        '',
        '-t nosuch -L',
        '-L INPUT -j ACCEPT',
        '--version',
        '-w x -L',
        '-R INPUT -j DROP',
        '-E a',
        '-P INPUT',
        '-N -x',
        '-N ACCEPT',
        '-A toolongachainnameforanyofthem1 -j ACCEPT',
      ),
    },
  )
}

/** Lines of words; quotes are not needed. */
export const commandLine: fc.Arbitrary<string> = oneof(
  { weight: 3, arbitrary: about(CHAINS, RULES) },
  { weight: 1, arbitrary: about(NAT_CHAINS, NAT_RULES).map((line) => `-t nat ${line}`) },
)

export const wordsOf = (line: string) => line.split(' ').filter((word) => word !== '')
