// Command lines for conntrack, in scripts: each is run after the one before it, on the flows that those made.

export interface Script {
  readonly name: string
  readonly sysctl?: Record<string, number>
  readonly lines: readonly string[]
}

const S = '-s 10.0.0.1 -d 10.0.0.2'

/** One flow of each sort. */
const FLOWS = [
  `-I ${S} -p tcp --sport 1000 --dport 80 --state ESTABLISHED -t 1000 -u ASSURED,SEEN_REPLY`,
  `-I ${S} -p tcp --sport 1001 --dport 80 --state SYN_SENT -t 100 -m 0x10`,
  `-I ${S} -p udp --sport 1000 --dport 80 -t 100 -m 5`,
  `-I ${S} -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 100`,
  `-I ${S} -p gre --srckey 1 --dstkey 2 -t 100`,
  `-I ${S} -p udplite --sport 1 --dport 2 -t 100`,
  `-I ${S} -p sctp --sport 1 --dport 2 --state ESTABLISHED --orig-vtag 5 --reply-vtag 0x10 -t 100`,
  `-I ${S} -p 50 -t 100`,
  `-I ${S} -p udp --sport 3 --dport 2 -t 100 -n 10.8.8.8`,
  `-I ${S} -p udp --sport 4 --dport 2 -t 100 -g 10.8.8.9:99`,
  `-I ${S} -p udp --sport 1008 --dport 80 -t 100 -n 10.0.0.8:77`,
  `-I ${S} -p udp --sport 1006 --dport 80 -t 100 -n 10.0.0.8 -g 10.0.0.9:99`,
  `-I ${S} -p udp --sport 5 --dport 2 -t 100 -w 7`,
  `-I ${S} -p udp --sport 6 --dport 2 -t 100 --orig-zone 7`,
  `-I ${S} -p udp --sport 7 --dport 2 -t 100 --reply-zone 8`,
  `-I ${S} -p udp --sport 8 --dport 2 -t 100 --label-add one`,
  `-I ${S} -p udp --sport 1003 --dport 80 -t 100 -r 10.0.0.9 -q 10.0.0.8 --reply-port-src 81 --reply-port-dst 1007`,
  `-I ${S} -p udp --sport 1009 --dport 80 -t 100 -u SEEN_REPLY,ASSURED,FIXED_TIMEOUT`,
]

const OUTPUTS = [
  ...['', 'extended', 'id', 'xml', 'save', 'timestamp', 'ktimestamp', 'labels', 'userspace', 'extended,id,labels'],
  ...['xml,labels,ktimestamp', 'XML', 'id,timestamp', 'bogus', 'xml,bogus', 'save,id', "''"],
].map((form) => `-L${form === '' ? '' : ` -o ${form}`}`)

const FILTERS = [
  ...['-p tcp', '-p udp', '-p icmp', '-p 50', '-p foo', '-p 300', '-p 0x6', '-p 06', '-p TCP', '-p esp', '-p igmp'],
  ...['-f ipv4', '-f ipx', '-f IPV4', '-f 4', '-s 10.0.0.1', '-s 10.0.0.9', '-s 10.0.0.0/24 -p gre', '-s 10.0.0.1/33'],
  ...['-s foo', '-d 10.0.0.2', '-s 10.0.0.1 -d fe80::1', '-r 10.0.0.2', '-r 10.0.0.9', '-q 10.8.8.8', '-r 10.0.0.2/8'],
  ...['--mask-src 255.255.255.0 -s 10.0.0.9', '--mask-src 255.0.0.0', '--mask-dst 255.0.0.0 -d 10.9.9.9'],
  ...['--src-nat', '-n 10.8.8.8', '-n 10.0.0.8:77', '-n 10.0.0.8', '-g', '-g 10.0.0.9:99', '-g 10.8.8.9', '-j'],
  ...[
    '-j 10.0.0.8',
    '-n 10.1.1.0/24',
    '-g 10.1.1.1:foo',
    '-m 5',
    '-m 5/1',
    '-m 0',
    '-m 0x10',
    '-m 0x10/0xff',
    '-m foo',
  ],
  ...['-w 7', '-w 0', '--orig-zone 7', '--reply-zone 8', '--reply-zone 7', '-w foo', '-u ASSURED', '-u SEEN_REPLY'],
  ...['-u UNSET', '-u FOO', '-u assured', '-u ASSURED,SEEN_REPLY', '-u ASSURED,', '-u FIXED_TIMEOUT'],
  ...['-p tcp --state ESTABLISHED', '-p tcp --state established', '-p tcp --state FOO', '--state ESTABLISHED'],
  ...[
    '--dport 80',
    '-p tcp --dport 80',
    '-p tcp --sport 1000',
    '-p udp --reply-port-src 81',
    '-p tcp --orig-port-src 1000',
  ],
  ...['-p udp --reply-port-dst 1007', '-p icmp --icmp-type 8', '-p icmp --icmp-code 1', '-p icmp --icmp-id 77'],
  ...[
    '-p icmp --icmp-type foo',
    '-p tcp --sport 0x3e8',
    '-p tcp --sport 01750',
    '-p icmp --icmp-type 010',
    '-w 0x7',
    '-w 07',
    '-p gre --srckey 1',
    '-p gre --srckey 0x1 --dstkey 2',
    '-p sctp --orig-vtag 1',
    '-p sctp --state ESTABLISHED',
    '-p sctp --state CLOSED',
  ],
  ...['-p tcp --mask-port-src 1', '-p tcp --tuple-port-src 1', '-p dccp --role foo', '-p icmp --sport 3'],
  ...['-p udp --state ESTABLISHED', '-p tcp --foo 3', '-p tcp --s 3', '-p tcp --spor 1000', '-p tcp --sport'],
  ...['-l one', '-l two', '-l one,two', '-l foo', '-t 100', '-e NEW', '-i 5', '-b 100', '-z', '-z -z', '-e'],
  ...['--label-add one', '--label-del', '-s 10.0.0.1 -s 10.0.0.2', '--src=10.0.0.1', '-s10.0.0.1', '-m 1 -m 5'],
  ...['-p tcp -p udp', '--orig-src 10.0.0.1', '--family ipv4 --proto tcp', '--protonum 17', '-s fe80::1', '-n fe80::1'],
  ...['-a 1.2.3.4', '-c 5', '--tuple-src 10.0.0.1', 'extra', 'conntrack extra', '-d 10.0.0.2 extra', '-- extra'],
].map((words) => `-L ${words}`)

export const SCRIPTS: readonly Script[] = [
  { name: 'lists in all forms', lines: [...FLOWS, ...OUTPUTS, '-C', '-C conntrack'] },
  {
    name: 'lists counters and time stamps',
    sysctl: { 'net.netfilter.nf_conntrack_acct': 1, 'net.netfilter.nf_conntrack_timestamp': 1 },
    lines: [...FLOWS, ...OUTPUTS, '-L -z'],
  },
  { name: 'lists by every filter', lines: [...FLOWS, ...FILTERS] },
  {
    name: 'deletes by filters',
    lines: [
      ...FLOWS,
      ...['-D -p tcp --state SYN_SENT', '-D -n 10.8.8.8', '-D -w 7', '-D --orig-zone 7', '-D -l one', '-D -m 5'],
      ...['-D -p icmp -o xml', '-D -u FIXED_TIMEOUT', '-D -g', '-D -p udp --dport 80', '-D -p udp --dport 80 -o xml'],
      ...['-D -t 5', '-D -c 1', '-D -j', '-D -z', '-D -i 5', '-D -s 10.0.0.1', '-C', '-D', '-D expect'],
    ],
  },
  {
    name: 'gets one',
    lines: [
      ...FLOWS,
      ...['-G', `-G ${S} -p udp --sport 1000 --dport 80`, `-G ${S} -p udp --sport 1000 --dport 81`, `-G ${S} -p udp`],
      `-G ${S} -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77`,
      `-G ${S} -p udp --sport 1000 --dport 80 -o xml`,
      `-G ${S} -p tcp --sport 1000 --dport 80 -o extended,id`,
      `-G ${S} -p udp --sport 1000 --dport 80 -m 3`,
      '-G -r 10.0.0.2 -q 10.0.0.1 -p udp --reply-port-src 80 --reply-port-dst 1000',
      '-G -s 10.0.0.1 -p udp --sport 1 --dport 2',
      `-G ${S} -p udp --sport 5 --dport 2`,
    ],
  },
  {
    name: 'updates',
    lines: [
      ...FLOWS.slice(0, 3),
      ...['-m 7/3', '-m 0x10/0xff', '-m 0x10/0xff', '-t 500', '--state CLOSE', '-u SEEN_REPLY', '-u UNSET'].map(
        (set) => `-U ${S} -p tcp --sport 1000 --dport 80 ${set}`,
      ),
      ...['-u SEEN_REPLY', '-u ASSURED', '-t 70', '-u EXPECTED', '', '--label-add one,two', '--label-del one'].map(
        (set) => `-U ${S} -p udp --sport 1000 --dport 80 ${set}`,
      ),
      '-L -o labels',
      ...['--label-del', '--label-add foo', '-l two -m 1', '-u FIXED_TIMEOUT', '-t 9'].map(
        (set) => `-U ${S} -p udp --sport 1000 --dport 80 ${set}`,
      ),
      ...['-U -p udp -m 9', '-U -f ipv4 -p udp -m 9', '-U -s 10.0.0.0/24 -p udp -m 10', '-U -p 99 -m 1', '-U', '-L'],
      ...['-U -w 1 -m 1', '-U -z', '-U expect'],
    ],
  },
  {
    name: 'creates, and refuses',
    lines: [
      ...['-I', '-I -s 10.0.0.1', `-I ${S}`, `-I ${S} -p udp`, `-I ${S} -p udp --sport 1 -t 4`, `-I ${S} -p icmp -t 4`],
      `-I ${S} -p tcp --sport 1 --dport 2 -t 40`,
      `-I -d 10.0.0.2 -p tcp --sport 1000 --dport 80 --state LISTEN -t 10`,
      ...['LISTEN', 'NONE', 'SYN_SENT2', 'FOO'].map(
        (state, i) => `-I ${S} -p tcp --sport ${1000 + i} --dport 80 --state ${state} -t 100`,
      ),
      `-I ${S} -p udp --sport 1 --dport 2 -t 100`,
      `-I ${S} -p udp --sport 1 --dport 2 -t 100`,
      `-A ${S} -p udp --sport 1 --dport 2 -t 100`,
      `-A ${S} -p udp --sport 2 --dport 2 -t 100`,
      `-I ${S} -r 10.0.0.2 -q 10.9.9.9 -p udp --sport 3 --dport 2 -t 100`,
      `-I ${S} -p udp --sport 4 --dport 2 -t 100 --reply-port-src 81 --reply-port-dst 1007`,
      `-I ${S} -p udp --sport 5 --dport 80 -t 100 -j 10.0.0.8`,
      `-I ${S} -p udp --sport 6 --dport 80 -t 100 -u EXPECTED`,
      `-I ${S} -p udp --sport 7 --dport 80 -t 100 -u ASSURED`,
      `-I ${S} -p icmp --icmp-type 0 --icmp-code 0 -t 100`,
      `-I ${S} -p icmp --icmp-type 99 --icmp-code 0 --icmp-id 3 -t 100`,
      `-I ${S} -p icmp --icmp-type 13 --icmp-code 0 --icmp-id 3 -t 100`,
      `-I ${S} -p icmp --icmp-type 8 -t 100`,
      `-I ${S} -p gre --srckey 1 -t 100`,
      `-I ${S} -p sctp --sport 1 --dport 2 -t 100`,
      `-I ${S} -p sctp --sport 1 --dport 2 --state ESTABLISHED -t 100`,
      '-I -s 10.0.0.1/24 -d 10.0.0.2 -p udp --sport 1 --dport 2 -t 9',
      `-I ${S} -p udp --sport 1 --dport 2 -t 10 -c 5`,
      `-I ${S} -p udp --sport 1 --dport 3 -t 10 -f ipv6`,
      `-I ${S} -p udp --sport 1 --dport 3 -t 10 -o xml`,
      `-I ${S} -p udp --sport foo --dport 3 -t 100 -m foo`,
      '-L -o extended',
      '-L -o save',
    ],
  },
  {
    name: 'understands its words',
    lines: [
      ...[
        '-L -L',
        '-L -D',
        '-Q',
        '--version',
        '-V',
        '-C -C',
        '-Lo xml',
        '-n -L',
        '--dump',
        '--dum',
        '--orig',
        '-L foo',
      ],
      ...['foo -L', 'conntrack -L', '-s 10.0.0.1 -L', '-s 10.0.0.1', '-b 100 -L', '-R', '-R /nonexistent', '--count'],
      ...[
        '-F foo',
        '-C extra',
        '-h extra',
        '-S extra',
        '-F -s 10.0.0.1',
        '-S -s 10.0.0.1',
        '-F -f ipv4',
        '-F',
        '-F expect',
      ],
      ...['-L expect', '-L dying', '-L unconfirmed', '-C expect', '-L expect -s 10.0.0.1', '-E dying', '-D dying'],
      ...[
        '-F dying',
        '-U expect',
        '-A expect',
        '-L expect -o xml',
        '-E -e FOO',
        '-E -t 5',
        '-E -z',
        '-C -f ipv4',
        '-Lz',
      ],
    ],
  },
]
