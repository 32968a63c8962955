// A line plot as SVG, without outside resources: axes, linear or logarithmic, a legend, and points that say what they are.

export interface Axis {
  readonly label: string
  /** Logarithmic. Where a value is 0, all are drawn one further. */
  readonly log?: boolean
  /** Values that are named at the axis; left out, some round ones. */
  readonly ticks?: readonly Tick[]
}

export interface Tick {
  readonly at: number
  readonly text: string
}

export interface Line {
  readonly name: string
  readonly points: readonly Point[]
  /** Of CSS; left out, one of a row of colours. */
  readonly colour?: string
  readonly dashed?: boolean
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Plot {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly lines: readonly Line[]
}

export const COLOURS = [
  '#1f77b4',
  '#d62728',
  '#2ca02c',
  '#9467bd',
  '#ff7f0e',
  '#17becf',
  '#8c564b',
  '#e377c2',
  '#7f7f7f',
]
const WIDTH = 760
const HEIGHT = 360
const LEFT = 64
const RIGHT = 190
const TOP = 34
const BOTTOM = 44
const LEGEND_STEP = 16

/** As a file of its own. */
export function plotFile(plot: Plot): string {
  return `${plotSvg(plot).replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"')}\n`
}

/** As an element of a page. Lines without points are left out. */
export function plotSvg({ title, x, y, lines: all }: Plot): string {
  const lines = all.filter(({ points }) => points.length > 0)
  const points = lines.flatMap((line) => line.points)
  const across = new Scale(
    x,
    points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  )
  const up = new Scale(
    y,
    points.map((point) => point.y),
    HEIGHT - BOTTOM,
    TOP,
  )
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="18" font-size="13" font-weight="600">${escaped(title)}</text>`,
  ]
  for (const { at, text } of up.ticks) {
    const line = up.place(at)
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${line}" y2="${line}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${(Number(line) + 4).toFixed(1)}" text-anchor="end">${escaped(text)}</text>`,
    )
  }
  for (const { at, text } of across.ticks)
    parts.push(`<text x="${across.place(at)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${escaped(text)}</text>`)
  parts.push(
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 8}" text-anchor="end">${escaped(x.label)}</text>`,
    `<text x="${LEFT}" y="${TOP - 4}">${escaped(y.label)}</text>`,
  )
  for (const [i, line] of lines.entries()) parts.push(drawn(line, i, across, up))
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" role="img" font-size="11" font-family="system-ui,sans-serif" fill="#222">
<title>${escaped(title)}</title>
${parts.join('\n')}
</svg>`
}

function drawn({ name, points, colour, dashed }: Line, i: number, across: Scale, up: Scale): string {
  const own = colour ?? COLOURS[i % COLOURS.length]
  const dashes = dashed ? ' stroke-dasharray="5 4"' : ''
  const at = ({ x, y }: Point) => `${across.place(x)},${up.place(y)}`
  const circles = points.map(
    ({ x, y }) =>
      `<circle cx="${across.place(x)}" cy="${up.place(y)}" r="3" fill="${own}"><title>${escaped(`${name}: ${amount(x)}, ${amount(y)}`)}</title></circle>`,
  )
  const beside = WIDTH - RIGHT + 14
  const row = TOP + 6 + i * LEGEND_STEP
  return (
    `<polyline points="${points.map(at).join(' ')}" fill="none" stroke="${own}" stroke-width="2"${dashes}/>${circles.join('')}` +
    `<line x1="${beside}" x2="${beside + 20}" y1="${row}" y2="${row}" stroke="${own}" stroke-width="2"${dashes}/>` +
    `<text x="${beside + 26}" y="${row + 4}">${escaped(name)}</text>`
  )
}

/** Where values stand along an axis, from pixel `from` to pixel `to`. */
class Scale {
  readonly ticks: readonly Tick[]
  readonly #log: boolean
  readonly #shift: number
  readonly #low: number
  readonly #high: number
  readonly #from: number
  readonly #to: number

  constructor({ log = false, ticks }: Axis, values: readonly number[], from: number, to: number) {
    this.#log = log
    this.#from = from
    this.#to = to
    const least = Math.min(...values)
    const most = Math.max(...values, ...(log ? [] : [0]))
    this.#shift = log && least <= 0 ? 1 : 0
    this.#low = log ? this.#scaled(least) : 0
    this.#high = this.#scaled(Number.isFinite(most) && (most > 0 || log) ? most : 1)
    // A single value has a place too.
    if (!(this.#high > this.#low)) this.#high = this.#low + 1
    this.ticks = ticks ?? (log ? this.#decades(least, most) : this.#even())
  }

  place(value: number): string {
    const part = (this.#scaled(value) - this.#low) / (this.#high - this.#low)
    return (this.#from + part * (this.#to - this.#from)).toFixed(1)
  }

  #scaled(value: number): number {
    return this.#log ? Math.log10(value + this.#shift) : value
  }

  #even(): Tick[] {
    const step = roundStep(this.#high / 5)
    const ticks: Tick[] = []
    for (let at = 0; at <= this.#high * 1.0001; at += step) ticks.push({ at, text: amount(at) })
    return ticks
  }

  #decades(least: number, most: number): Tick[] {
    const ticks: Tick[] = least <= 0 ? [{ at: 0, text: '0' }] : []
    const first = Math.floor(Math.log10(Math.max(least, 1e-9)))
    // Within two decades there are few powers of ten.
    const steps = this.#high - this.#low < 2 ? [1, 2, 5] : [1]
    for (let power = least <= 0 ? 0 : first; 10 ** power <= most; power++)
      for (const step of steps) {
        const at = step * 10 ** power
        if (at >= least && at <= most) ticks.push({ at, text: amount(at) })
      }
    return ticks
  }
}

/** 1, 2 or 5 times a power of ten, at least this much. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  for (const factor of [1, 2, 5]) if (factor * power >= least) return factor * power
  return 10 * power
}

function amount(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString('en', { maximumFractionDigits: 6 })
}

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
