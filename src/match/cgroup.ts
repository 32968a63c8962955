// Match cgroup (xt_cgroup): the control group of the process whose socket a packet is for or comes from. No process has a socket of the
// router's: what comes from no socket never matches, and what the router says of itself comes from the kernel's own, which is in
// class 0 and in the root of all groups.

import { defineMatch, NotTaken } from '../rule/define.ts'
import { apart, words } from '../rule/listing.ts'
import { Problem, quoted, shown, u32, word } from '../rule/option.ts'

const EXPECTS = "the root '/', which is the only control group here"

export const cgroup = defineMatch({
  name: 'cgroup',
  summary: 'the control group of the process that has the socket; none has one here',
  hooks: ['INPUT', 'OUTPUT', 'POSTROUTING'],
  options: {
    path: word<string>(
      EXPECTS,
      (text) =>
        /^\/*$/.test(text)
          ? text
          : new Problem(`there is no control group ${shown(text)}: expected ${EXPECTS}`, 0, 'tables'),
      quoted,
    )
      .negatable()
      .help('it is this one, or below it'),
    cgroup: u32().negatable().help('its class'),
  },
  check: (o) =>
    (o.path === undefined) === (o.cgroup === undefined)
      ? new NotTaken('tables', 'expected one of --path and --cgroup')
      : undefined,
  list: ({ path, cgroup: classid }) =>
    words(path && `cgroup ${apart(path)}${path.value}`, classid && `cgroup ${apart(classid)}${classid.value}`),
  looks: 'packet',
  match: ({ path, cgroup: classid }) => {
    const fits = path !== undefined ? !path.not : (classid?.value === 0) !== classid?.not
    const said = fits ? 1 : 0
    return (p) => (p.socket ? said : 0)
  },
})
