// The chart types and components of ECharts that the console uses, drawn as SVG.
import { BarChart, HeatmapChart, LineChart, SankeyChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([
  BarChart, HeatmapChart, LineChart, SankeyChart,
  AriaComponent, GridComponent, LegendComponent, TooltipComponent, VisualMapComponent, SVGRenderer,
]);

export { getInstanceByDom, init } from "echarts/core";
