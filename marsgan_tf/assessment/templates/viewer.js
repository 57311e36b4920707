(function () {
  "use strict";

  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  const at = (id) => document.getElementById(id);
  const root = at("viewer");
  const stage = at("stage");
  const handle = at("handle");

  if (!window.OpenSeadragon) {
    root.dataset.state = "missing";
    root.replaceChildren("The viewer's folder, tiles, must lie beside this page.");
    root.style.padding = "20px";
    return;
  }

  // Tiles read from disk taint a canvas, which WebGL refuses and 2D does not.
  const viewer = OpenSeadragon({
    element: at("canvas"),
    drawer: "canvas",
    showNavigationControl: false,
    showNavigator: true,
    navigatorPosition: "BOTTOM_RIGHT",
    navigatorSizeRatio: 0.16,
    navigatorAutoFade: true,
    animationTime: 0.35,
    maxZoomPixelRatio: 16,
    minZoomImageRatio: 0.6,
    visibilityRatio: 0.3,
    imageLoaderLimit: 8,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  });
  const items = [];
  let left = data.left;
  let right = data.right;
  let split = 0.5;

  function source(layer) {
    return {
      width: data.width,
      height: data.height,
      tileSize: data.tileSize,
      tileOverlap: 0,
      minLevel: layer.minLevel,
      maxLevel: layer.maxLevel,
      getTileUrl: (level, x, y) => `${layer.folder}/${level}/${x}_${y}.png`,
    };
  }

  // The left layer lies over the right one and ends at the handle.
  function clip() {
    const item = items[left];
    if (!item) {
      return;
    }
    const pixel = new OpenSeadragon.Point(split * stage.clientWidth, 0);
    const point = viewer.viewport.pointFromPixel(pixel, true);
    const edge = point.x * data.width;
    const width = Math.min(Math.max(edge, 1e-3), data.width);
    item.setClip(
      left === right ? null : new OpenSeadragon.Rect(0, 0, width, data.height)
    );
  }

  function show() {
    items.forEach((item, index) => {
      item.setOpacity(index === left || index === right ? 1 : 0);
      item.setClip(null);
    });
    viewer.world.setItemIndex(items[right], 0);
    viewer.world.setItemIndex(items[left], items.length - 1);
    at("left").value = left;
    at("right").value = right;
    at("left-name").textContent = data.layers[left].label;
    at("right-name").textContent = data.layers[right].label;
    at("legend").hidden = ![left, right].some((one) => data.layers[one].isMap);
    clip();
    check();
  }

  function setSplit(share) {
    split = Math.min(Math.max(share, 0), 1);
    handle.style.left = `${100 * split}%`;
    handle.setAttribute("aria-valuenow", Math.round(100 * split));
    clip();
  }

  function check() {
    const shown = [items[left], items[right]];
    const ready = shown.every((item) => item && item.getFullyLoaded());
    root.dataset.state = ready ? "ready" : "loading";
  }

  function rectOf(place, margin) {
    const around = margin * Math.max(place.width, place.height);
    return new OpenSeadragon.Rect(
      (place.col - around) / data.width,
      (place.row - around) / data.width,
      (place.width + 2 * around) / data.width,
      (place.height + 2 * around) / data.width
    );
  }

  function markCrops() {
    for (const crop of data.crops) {
      const mark = document.createElement("div");
      const label = document.createElement("span");
      label.textContent = crop.name;
      mark.className = "crop-mark";
      mark.append(label);
      viewer.addOverlay({ element: mark, location: rectOf(crop, 0) });
    }
  }

  function zoomOfScreen() {
    const zoom = viewer.viewport.getZoom(true);
    return (zoom * stage.clientWidth) / data.width;
  }

  function drawScale() {
    const zoom = zoomOfScreen();
    const unit = data.pixelMetres || 1;
    const most = (140 / zoom) * unit;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].find((step) => step * power <= most) * power;
    const text = !data.pixelMetres
      ? `${length} px`
      : length >= 1000
        ? `${length / 1000} km`
        : `${length} m`;
    const bar = at("scale-bar").firstElementChild;
    bar.style.width = `${(length / unit) * zoom}px`;
    bar.textContent = length < unit ? "" : text;
  }

  function tell(event) {
    const box = stage.getBoundingClientRect();
    const point = viewer.viewport.pointFromPixel(
      new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top),
      true
    );
    const col = Math.floor(point.x * data.width);
    const row = Math.floor(point.y * data.width);
    const inside =
      row >= 0 && col >= 0 && row < data.height && col < data.width;
    const zoom = zoomOfScreen().toPrecision(3);
    at("position").textContent = inside
      ? `row ${row}, column ${col} \u00b7 ${zoom} screen px a pixel`
      : "\u00a0";
  }

  for (const side of ["left", "right"]) {
    data.layers.forEach((layer, index) => {
      at(side).add(new Option(layer.label, index));
    });
  }
  at("left").addEventListener("change", (event) => {
    left = Number(event.target.value);
    show();
  });
  at("right").addEventListener("change", (event) => {
    right = Number(event.target.value);
    show();
  });
  at("swap").addEventListener("click", () => {
    [left, right] = [right, left];
    show();
  });
  at("zoom-in").addEventListener("click", () => viewer.viewport.zoomBy(1.6));
  at("zoom-out").addEventListener("click", () => viewer.viewport.zoomBy(0.625));
  at("fit").addEventListener("click", () => viewer.viewport.goHome());
  at("full-size").addEventListener("click", () => {
    viewer.viewport.zoomTo(data.width / stage.clientWidth);
  });
  at("full-screen").addEventListener("click", () => {
    if (document.fullscreenElement) {
      document.exitFullscreen();
    } else if (root.requestFullscreen) {
      root.requestFullscreen();
    }
  });
  at("smooth").addEventListener("change", (event) => {
    viewer.drawer.setImageSmoothingEnabled(event.target.checked);
    viewer.forceRedraw();
  });
  at("show-crops").addEventListener("change", (event) => {
    for (const mark of document.querySelectorAll(".crop-mark")) {
      mark.hidden = !event.target.checked;
      mark.style.visibility = event.target.checked ? "visible" : "hidden";
    }
  });

  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
    handle.focus({ preventScroll: true });
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) {
      const box = stage.getBoundingClientRect();
      setSplit((event.clientX - box.left) / box.width);
    }
  });
  handle.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const target = {
      ArrowLeft: split - step,
      ArrowRight: split + step,
      Home: 0,
      End: 1,
    }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      setSplit(target);
    }
  });
  stage.addEventListener("pointermove", tell);

  for (const button of document.querySelectorAll("[data-place]")) {
    button.addEventListener("click", () => {
      viewer.viewport.fitBounds(rectOf(JSON.parse(button.dataset.place), 0.15));
      root.scrollIntoView({ behavior: "smooth", block: "center" });
    });
  }

  let waiting = data.layers.length;
  data.layers.forEach((layer, index) => {
    viewer.addTiledImage({
      tileSource: source(layer),
      opacity: 0,
      success: (event) => {
        items[index] = event.item;
        event.item.addHandler("fully-loaded-change", check);
        waiting -= 1;
        if (waiting === 0) {
          viewer.viewport.goHome(true);
          markCrops();
          show();
          setSplit(0.5);
          drawScale();
        }
      },
    });
  });
  viewer.addHandler("viewport-change", () => {
    clip();
    drawScale();
  });
  viewer.addHandler("resize", clip);
  viewer.addHandler("tile-load-failed", () => {
    root.dataset.state = "missing";
  });
})();
