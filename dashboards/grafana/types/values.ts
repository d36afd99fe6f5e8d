import type { Dashboard } from "@grafana/schema";
import type * as BarChart from "@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen";
import type * as NodeGraph from "@grafana/schema/dist/esm/raw/composable/nodegraph/panelcfg/x/NodeGraphPanelCfg_types.gen";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as Table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// JSON has values where the types have enums.
type Value<T> = T extends string
  ? `${T}`
  : T extends number
    ? number extends T
      ? number
      : `${T}` extends `${infer N extends number}`
        ? N
        : T
    : T extends (infer E)[]
      ? Value<E>[]
      : T extends object
        ? { [K in keyof T]: Value<T[K]> }
        : T;

// Whole is a dashboard; the others are the options of panels, and what their fields have of their own.
export type Whole = Value<Dashboard>;
export type Options = {
  barchart: Value<Partial<BarChart.Options>>;
  nodeGraph: Value<NodeGraph.Options>;
  stat: Value<Partial<Stat.Options>>;
  table: Value<Partial<Table.Options>>;
  timeseries: Value<Partial<TimeSeries.Options>>;
};
export type Custom = {
  barchart: Value<Partial<BarChart.FieldConfig>>;
  table: Value<Partial<Table.FieldConfig>>;
  timeseries: Value<Partial<TimeSeries.FieldConfig>>;
};
