// Match time (xt_time): the wall clock's date, time of day, weekday and day of the month, in UTC. The kernel's own time zone, for
// which --kerneltz asks, is UTC unless somebody set it; here it is.

import { defineMatch } from '../rule/define.ts'
import { flag, type Option, Problem, shown, unexpected, word } from '../rule/option.ts'

const DAY = 86_400
const LAST_SECOND = DAY - 1
/** What is saved where no end is given. */
const LAST_DATE = 0x7fffffff
const ALL_WEEKDAYS = 0xfe
const ALL_MONTHDAYS = 0xfffffffe | 0
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
const LETTERS = ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'] as const
const EXPECTS_DATE = 'a date from 1970 to 2038 as in 2026-12-31T23:59:59, of which the end may be left out'
const EXPECTS_TIME = 'a time of day as in 23:59 or 23:59:59'
const EXPECTS_WEEKDAYS = `days of the week (${WEEKDAYS.join(',')} or 1 to 7), joined by commas`
const EXPECTS_MONTHDAYS = 'days of the month from 1 to 31, joined by commas'

/** By the last digit: the 11th is the 11st there. */
const ENDINGS: Readonly<Record<number, string>> = { 1: 'st', 2: 'nd', 3: 'rd' }

const two = (value: number) => String(value).padStart(2, '0')

/** Seconds since 1970. */
const date = word<number>(
  EXPECTS_DATE,
  (text) => {
    const found = /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:T(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?)?)?)?$/.exec(text)
    if (found === null) return unexpected(text, EXPECTS_DATE)
    const [year, month = 1, day = 1, hour = 0, minute = 0, second = 0] = found
      .slice(1)
      .filter((part) => part !== undefined)
      .map(Number)
    const fits = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60
    if (!fits || year < 1970 || year > 2038) return unexpected(text, EXPECTS_DATE)
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000
  },
  (value) => new Date(value * 1000).toISOString().slice(0, 19),
)

/** Seconds since midnight. */
const timeOfDay = word<number>(
  EXPECTS_TIME,
  (text) => {
    const found = /^\s*\+?(\d*):\s*\+?(\d*)(?::\s*\+?(\d*))?$/.exec(text)
    const [hour, minute, second] = (found ?? []).slice(1).map((part) => Number(part ?? 0))
    if (found === null || hour > 23 || minute > 59 || second > 59) return unexpected(text, EXPECTS_TIME)
    return hour * 3600 + minute * 60 + second
  },
  (value) => `${two(Math.floor(value / 3600))}:${two(Math.floor(value / 60) % 60)}:${two(value % 60)}`,
)

/** A list of days as bits, day 1 in bit 1. */
function days(
  expects: string,
  all: number,
  read: (text: string) => number | undefined,
  format: (day: number) => string,
): Option<number, true, false> {
  return word<number>(
    expects,
    (text) => {
      let sum = 0
      for (const part of text.split(',')) {
        const day = read(part)
        if (day === undefined) return new Problem(`${shown(part)} is no day: expected ${expects}`)
        sum |= 1 << day
      }
      return sum
    },
    (value) =>
      Array.from({ length: 32 }, (_, day) => day)
        .filter((day) => ((value & all) >>> day) & 1)
        .map(format)
        .join(','),
  ).negatable()
}

const weekdays = days(
  EXPECTS_WEEKDAYS,
  ALL_WEEKDAYS,
  (text) => {
    if (/^[1-7]$/.test(text)) return Number(text)
    const at = LETTERS.findIndex((letters) => text.startsWith(letters))
    return at < 0 ? undefined : at + 1
  },
  (day) => WEEKDAYS[day - 1],
)
const monthdays = days(
  EXPECTS_MONTHDAYS,
  ALL_MONTHDAYS,
  (text) => (/^[0-9]{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= 31 ? Number(text) : undefined),
  String,
)

export const time = defineMatch({
  name: 'time',
  summary: 'date, time of day and days, in UTC',
  options: {
    timestart: timeOfDay.help('from this time of day on'),
    timestop: timeOfDay.help('up to this time of day; before --timestart it is on the next day'),
    monthdays: monthdays.help('on these days of the month'),
    weekdays: weekdays.help('on these days of the week'),
    datestart: date.help('from this moment on'),
    datestop: date.default(LAST_DATE, true).help('up to this moment'),
    contiguous: flag().help('what begins before midnight belongs to that day to its end'),
    kerneltz: flag().alias('localtz').help("by the kernel's time zone, which is UTC"),
    utc: flag().help('in UTC, as it is anyway'),
  },
  list: (o) => {
    const words = ['TIME']
    const at = (seconds: number) => date.kind.format(seconds).replace('T', ' ')
    if (o.timestart !== undefined && o.timestop !== undefined)
      words.push(`from ${timeOfDay.kind.format(o.timestart)} to ${timeOfDay.kind.format(o.timestop)}`)
    if (o.weekdays !== undefined) words.push(`on ${weekdays.kind.format(o.weekdays.value)}`)
    if (o.monthdays !== undefined) {
      const days = monthdays.kind.format(o.monthdays.value).split(',')
      words.push(`on ${days.map((day) => day + (ENDINGS[Number(day) % 10] ?? 'th')).join(',')}`)
    }
    if (o.datestart !== undefined) words.push(`starting from ${at(o.datestart)}`)
    if (o.datestop !== LAST_DATE) words.push(`until date ${at(o.datestop)}`)
    if (!o.kerneltz) words.push('UTC')
    if (o.contiguous) words.push('contiguous')
    return words.join(' ')
  },
  exclusive: [['utc', 'kerneltz']],
  normalize: (o) => {
    const whole = (o.timestart ?? 0) === 0 && (o.timestop ?? LAST_SECOND) === LAST_SECOND
    return {
      ...o,
      timestart: whole ? undefined : (o.timestart ?? 0),
      timestop: whole ? undefined : (o.timestop ?? LAST_SECOND),
      monthdays: some(o.monthdays, ALL_MONTHDAYS),
      weekdays: some(o.weekdays, ALL_WEEKDAYS),
      datestart: o.datestart || undefined,
      utc: undefined,
    }
  },
  check: (o) =>
    o.contiguous && (o.timestop ?? LAST_SECOND) >= (o.timestart ?? 0)
      ? '--contiguous needs a --timestop that lies before --timestart'
      : undefined,
  looks: 'packet',
  match: (o, { time: clock }) => {
    const { timestart = 0, timestop = LAST_SECOND, datestart = 0, datestop } = o
    const ofMonth = o.monthdays?.value ?? ALL_MONTHDAYS
    const ofWeek = o.weekdays?.value ?? ALL_WEEKDAYS
    const contiguous = o.contiguous === true
    return () => {
      let stamp = Math.floor(clock.wall / 1000)
      if (stamp < datestart || stamp > datestop) return 0
      const now = stamp % DAY
      if (timestart < timestop) {
        if (now < timestart || now > timestop) return 0
      } else {
        if (now < timestart && now > timestop) return 0
        if (contiguous && now <= timestop) stamp -= DAY
      }
      const day = Math.floor(stamp / DAY)
      // The first of January 1970 was a Thursday.
      if (((ofWeek >>> (((day + 3) % 7) + 1)) & 1) === 0) return 0
      return ofMonth === ALL_MONTHDAYS || ((ofMonth >>> monthday(day)) & 1) === 1 ? 1 : 0
    }
  },
})

/** A negated list is kept, and saved, as the days that are left. */
function some(given: { readonly value: number; readonly not: boolean } | undefined, all: number) {
  if (given === undefined) return undefined
  const value = (given.not ? ~given.value : given.value) & all
  return value === all ? undefined : { value, not: false }
}

/** Day of the month of a day since 1970: years are counted from March, so that a leap day is their last. */
function monthday(day: number): number {
  const since = day + 719_468
  const era = Math.floor(since / 146_097)
  const ofEra = since - era * 146_097
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const month = Math.floor((5 * ofYear + 2) / 153)
  return ofYear - Math.floor((153 * month + 2) / 5) + 1
}
