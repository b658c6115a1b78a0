// The outlines of countries from Natural Earth (public domain) as paths that pages colour by their ISO codes.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { geoNaturalEarth1, geoPath } from "d3-geo";
import countries from "i18n-iso-countries";
import { feature } from "topojson-client";

const WIDTH = 960, HEIGHT = 500, DIGITS = 1;
const atlas = createRequire(import.meta.url)("world-atlas/countries-110m.json");
const land = feature(atlas, atlas.objects.countries).features.filter(({ id }) => id !== "010"); // without Antarctica
const projection = geoNaturalEarth1().fitSize([WIDTH, HEIGHT], { type: "FeatureCollection", features: land });
const draw = geoPath(projection).digits(DIGITS);
const paths = land.map((country) => {
  const code = country.id && countries.numericToAlpha2(country.id);
  return `<path${code ? ` id="${code}"` : ""} d="${draw(country)}"/>`;
});
writeFileSync("../static/world.svg",
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}"><g id="land">${paths.join("")}</g></svg>\n`);
