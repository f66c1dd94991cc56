// The small plane by itself, beside a picture that is not ours.

import { everyFrame } from "./controls.js";
import { SmallPlane } from "./plane.js";
import { themeColours } from "./plot.js";

export class PlaneAlone {
  constructor(root, _profiles, tell, constants) {
    const draw = everyFrame(root, () => this.plane.draw(themeColours(root, constants.roles), null));
    this.plane = new SmallPlane(tell, draw);
    root.replaceChildren(this.plane.element);
    this.update = draw;
  }
}
