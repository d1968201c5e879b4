/** Where kubelets look for drivers unless they are told otherwise (`--volume-plugin-dir`). */
export const defaultPluginDirectory = '/usr/libexec/kubernetes/kubelet-plugins/volume/exec';

/** Where kubelets of known platforms look for drivers; README.md says which is whose. */
export const knownPluginDirectories: readonly string[] = [
	defaultPluginDirectory,
	'/home/kubernetes/flexvolume',
	'/etc/kubernetes/volumeplugins',
	'/etc/kubernetes/kubelet-plugins/volume/exec',
	'/opt/libexec/kubernetes/kubelet-plugins/volume/exec',
	'/opt/kubernetes/kubelet-plugins/volume/exec',
	'/var/lib/kubelet/volumeplugins',
	'/var/lib/kubelet/volume-plugins',
	'/usr/libexec/k0s/kubelet-plugins/volume/exec',
	'/etc/k0s/kubelet-plugins/volume/exec',
];
