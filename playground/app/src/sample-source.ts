/** Input for compilers. */
export const SAMPLE = `import { useState } from 'react';

enum Unit { Celsius, Fahrenheit }

interface Props<Value extends number = number> {
  readings: readonly Value[];
  unit?: Unit;
}

export class Mean {
  #sum = 0;
  static from = (values: readonly number[]) => Object.assign(new Mean(), { values });
  constructor(private readonly values: readonly number[] = []) {}
  get value(): number | undefined {
    for (const value of this.values) this.#sum += value;
    return this.values.at(-1) && this.#sum / this.values.length;
  }
}

export async function* Thermometer({ readings, unit = Unit.Celsius, ...rest }: Props) {
  const [open, setOpen] = useState<boolean>(false);
  const mean = Mean.from(readings)?.value ?? Number.NaN;
  yield (
    <section {...rest} onClick={() => setOpen(!open)}>
      <h2>{\`\${mean.toFixed(1)} °\${unit === Unit.Celsius ? 'C' : 'F'}\`}</h2>
      {open && readings.map((value, day) => <meter key={day} value={value ** 2} />)}
    </section>
  );
}
`;
