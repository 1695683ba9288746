. /tmp/so/env.sh
lost=0; n=${1:-30}
for i in $(seq $n); do
 out=$(script -qec "$(declare -f podman); podman run --rm -it --network none localhost/tiny sh -c 'echo yes'" /dev/null)
 case $out in *yes*) ;; *) lost=$((lost+1)); echo "lost $i: [$out]";; esac
done
echo "lost $lost of $n (${RUNTIME:-$OCI})"
